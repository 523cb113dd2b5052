"""Bringing a job to its end from wherever it is: look for it, follow it, save what it made."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from doubao_core.api.images import Image
from doubao_core.api.videos import VideoTask, VideoTasks
from doubao_core.errors import (
    ConfigError,
    DoubaoError,
    JobExpired,
    JobFailed,
    NotFound,
    RequestError,
    UnsupportedOperation,
)
from doubao_core.jobs.job import GONE, NO_LIST, kept
from doubao_core.jobs.machine import ENDED, RELEASABLE, State
from doubao_core.jobs.reconcile import KEPT, SKEW, Adopt, Hold, Verdict, Wait, reconcile
from doubao_core.jobs.record import Record
from doubao_core.jobs.steps import Call, Flow, Keep, Next, Pause, Show
from doubao_core.jobs.work import BLANK, SAVED, Work, broken_off, inline_name
from doubao_core.media import Saved
from doubao_core.operation import JSON, identifier
from doubao_core.studio import outcome
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult

_PAGE = 500
# Signed addresses live for 24 hours (ark.md 14.1).
_LIVES = 86_400.0
_DIED = "the process that submitted it ended before the answer came"
_OTHER = 0.5


class Finish(Work):
    """Work that also sees jobs through to their end.

    Attributes:
        end: The job, when the flow has ended.
        latest: What the last look at a film gave, if it goes on.
    """

    end: Record
    latest: VideoResult | None = None

    def ran(self, draft: Record, until: float) -> Flow[Record]:
        """Submit a job and see it through, showing pictures as they come."""
        record = yield from self.submitted(draft, showing=True)
        return (yield from self.finished(record, until))

    def resumed(self, key: str, until: float) -> Flow[Record]:
        """See a job through that was submitted before, or at least written down."""
        record: Record = yield Keep(partial(self._ledger.get, key))
        return (yield from self.finished(record, until))

    def cancelled(self, key: str) -> Flow[Record]:
        """Withdraw a job, as far as that is possible."""
        record: Record = yield Keep(partial(self._ledger.get, key))
        self._check_provider(record)
        if record.state in {State.NEW, State.HELD}:
            given_up = {"reason": "it was given up before anything was known to be paid"}
            return (yield from self._noted(record, State.CANCELLED, **given_up))
        if record.state is not State.ACCEPTED:
            return record
        # Not on the first look: a task that was just made may be shown late.
        if record.status == GONE and (yield from self._is_gone(record)):
            gone = {"reason": "the service knows no such task, so there was nothing to withdraw"}
            return (yield from self._noted(record, State.CANCELLED, **gone))
        if (yield Call(partial(self._studio_for(record).withdraw, record.task_id or ""))):
            withdrawn = {"status": "cancelled", "reason": "its task was withdrawn from the queue"}
            return (yield from self._noted(record, State.CANCELLED, **withdrawn))
        return replace(record, reason="its task could not be withdrawn, or is not queued any more")

    def released(self, key: str, task_id: str | None) -> Flow[Record]:
        """Do what a person decided: create the job again, or take this task for it."""
        record: Record = yield Keep(partial(self._ledger.get, key))
        self._check_provider(record)
        if record.state not in RELEASABLE:
            raise ConfigError(
                f"job {key!r} is {record.state}: only one that is held, failed or cancelled can be "
                "released"
            )
        if task_id is None:
            return (yield from self._decided(record, State.NEW, **BLANK))
        if record.state is not State.HELD or record.kind != "video":
            raise ConfigError(f"job {key!r} cannot be given a task: it is no film that is held")
        identifier("task_id", task_id)
        found = {"task_id": task_id, "error": None, "reason": None}
        return (yield from self._decided(record, State.ACCEPTED, **found))

    def _decided(self, record: Record, after: State, **changes: Any) -> Flow[Record]:
        decided: Record | None = yield Keep(partial(self._ledger.move, record, after, **changes))
        if decided is None:
            raise ConfigError(
                f"job {record.key!r} was not released: it changed meanwhile, or that task belongs "
                "to another job; look at it again"
            )
        return decided

    def finished(self, record: Record, until: float = math.inf) -> Flow[Record]:
        """See *record* through until it ended, is held, or the time is over.

        Args:
            record: The job, as it was just read or submitted.
            until: Monotonic seconds; a job that goes on then is given as it is.
        """
        self._check_provider(record)
        while record.state not in ENDED:
            if not self.adrift and not (
                yield Keep(partial(self._ledger.claim, record.key, self.token))
            ):
                yield Show(_progress(record))
                if time.monotonic() + _OTHER > until:
                    return record
                yield Pause(_OTHER)
                record = yield Keep(partial(self._ledger.get, record.key))
                continue
            if not self.adrift:
                self.leases.keep(self.token)
                record = yield Keep(partial(self._ledger.get, record.key))
            record, again = yield from self._advanced(record, until)
            if not again:
                break
        return record

    def _advanced(self, record: Record, until: float) -> Flow[tuple[Record, bool]]:
        """Take the next step; gives the job, and whether there is another one now."""
        if record.state is State.NEW:
            return (yield from self._sent(record, showing=True)), True
        if record.state is State.SUBMITTING:
            return (yield from self._orphaned(record)), True
        if record.state is State.ACCEPTED:
            return (yield from self._followed(record, until)), False
        if record.state is State.MADE:
            return (yield from self._saved(record)), False
        if record.kind == "image":
            return record, False
        return (yield from self._searched(record, until))

    def _orphaned(self, record: Record) -> Flow[Record]:
        """Take over from a process that died between the mark and the answer."""
        lost = {"lost_at": time.time(), "reason": _DIED}
        if record.kind == "video":
            return (yield from self._noted(record, State.UNSURE, **lost))
        if not record.answer:
            record = yield from self._found(record)
        if any(image.error is None or SAVED in image.raw for image in _pictures(record)):
            answer = {**(record.answer or {}), "problem": broken_off(_DIED)}
            return (yield from self._noted(record, State.MADE, answer=answer))
        return (yield from self._noted(record, State.HELD, **{**lost, "reason": NO_LIST}))

    def _found(self, record: Record) -> Flow[Record]:
        """Look for a picture that came inside an answer and was saved, and not written down."""
        name = inline_name(record, record.attempt)
        saved: Saved | None = yield Keep(partial(self._rules.place(record).find, name))
        if saved is None:
            return record
        self.made[0] = outcome.made(Image(index=0), saved)
        return replace(record, answer=self._answer([Image(index=0)]))

    def _searched(self, record: Record, until: float) -> Flow[tuple[Record, bool]]:
        """Look once for the task of a film whose answer was lost."""
        verdict = yield from self._judged(record)
        if isinstance(verdict, Adopt):
            changes = {"task_id": verdict.task_id, "error": None, "reason": None}
            return (yield from self._noted(record, State.ACCEPTED, **changes)), True
        if record.state is State.HELD:
            return record, False
        if isinstance(verdict, Hold):
            held = yield from self._noted(record, State.HELD, reason=verdict.reason)
            # Its answer may have come after all.
            return held, held.state is not State.HELD
        yield from self._remembered(record, reason=verdict.reason)
        yield Show(_progress(record))
        if time.monotonic() + self._rules.pause > until:
            return replace(record, reason=verdict.reason), False
        yield Pause(self._rules.pause)
        return record, True

    def _judged(self, record: Record) -> Flow[Verdict]:
        try:
            tasks = yield from self._listed(record)
        except UnsupportedOperation:
            return Hold("the provider has no list of tasks in which it could be looked for")
        except RequestError:
            raise
        except DoubaoError as error:
            return Wait(f"the list of tasks could not be read: {error.message}")
        listed = [task.id for task in tasks]
        bound = yield Keep(partial(self._ledger.bound, record, listed))
        others = yield Keep(partial(self._ledger.unknown, record))
        now = time.time()
        return reconcile(
            record.intent(now),
            tasks,
            bound,
            now,
            rivals=[other.intent(now) for other in others],
            patience=self._rules.patience,
        )

    def _listed(self, record: Record) -> Flow[list[VideoTask]]:
        """Read the list from now back to when *record* was sent."""
        since = (record.posted_at or record.created_at) - SKEW
        query: dict[str, Any] = {
            "page_size": _PAGE,
            "service_tier": record.request.get("service_tier"),
            # Only endpoint ids filter (ark.md 15.4).
            "model": record.model if record.model.startswith("ep-") else None,
        }
        found: list[VideoTask] = []
        for number in range(1, _PAGE + 1):
            page: VideoTasks = yield Call(
                partial(self._client.list_videos, page_num=number, **query)
            )
            found += page.items
            older = any((task.created_at or since) < since for task in page.items)
            if older or len(page.items) < _PAGE:
                break
        return found

    def _followed(self, record: Record, until: float) -> Flow[Record]:
        """Watch a task until it ended and its film is saved."""
        task = _task(record)
        waited = time.time() - (record.posted_at or record.created_at)
        order = VideoOrder.from_request(record.request)
        studio = self._studio_for(record, max(0.0, until - time.monotonic()))
        events = studio.follow_video(task, order=order, waited=max(0.0, waited))
        self.opened.append(events)
        status = record.status
        try:
            while (event := (yield Next(events))) is not None:
                if isinstance(event, VideoResult):
                    self.latest = event
                    continue
                if event.status != status:
                    status = event.status
                    yield from self._remembered(record, status=status, reason=None)
                yield Show(event)
        except JobFailed as error:
            return (yield from self._failed(record, error))
        result = self.latest
        if result is not None and _is_saved(result):
            changes = {"status": result.status, "result": result.to_dict(), "reason": None}
            return (yield from self._noted(record, State.DONE, **changes))
        return (yield from self._unfinished(record, status, result.problem if result else None))

    def _unfinished(self, record: Record, status: str | None, problem: str | None) -> Flow[Record]:
        """Write down how a film stands that is not saved; one that is lost for good failed."""
        old = time.time() - (record.posted_at or record.created_at) > KEPT
        # The clock alone is no proof, as it may be wrong.
        if (old or problem) and (yield from self._is_gone(record)):
            if old:
                lost = f"the service forgets a task after 7 days: {record.task_id} is lost"
                return (yield from self._failed(record, JobExpired(lost)))
            status, problem = GONE, _gone(record.key)
        yield from self._remembered(record, status=status, reason=problem)
        return replace(record, status=status, reason=problem)

    def _is_gone(self, record: Record) -> Flow[bool]:
        """Whether the service says that it has no such task."""
        try:
            yield Call(partial(self._client.get_video, record.task_id or ""))
        except NotFound:
            return True
        except DoubaoError:
            # What cannot be looked at now is there until the service says otherwise.
            return False
        return False

    def _failed(self, record: Record, error: JobFailed) -> Flow[Record]:
        return (yield from self._noted(record, State.FAILED, error=kept(error), reason=None))

    def _saved(self, record: Record) -> Flow[Record]:
        """Save the pictures of an answer; what cannot be fetched now stays to be fetched."""
        made: list[MadeImage] = []
        for image in _pictures(record):
            picture = yield from self.picture(record, image)
            made.append(picture)
        result = self._image_result(record, made)
        missing = [each for each in made if each.charged and each.location is None]
        came_at = (record.answer or {}).get("came_at") or record.posted_at or record.created_at
        if missing and time.time() - came_at < _LIVES:
            reason = f"{len(missing)} of its pictures could not be saved: {missing[0].error}"
            changes: dict[str, Any] = {"result": result.to_dict(), "reason": reason}
            yield from self._remembered(record, **changes)
            return replace(record, **changes)
        changes = {"result": result.to_dict(), "answer": None, "reason": None}
        return (yield from self._noted(record, State.DONE, **changes))

    def _image_result(self, record: Record, made: Sequence[MadeImage]) -> ImageResult:
        answer = record.answer or {}
        return outcome.image_result(
            ImageOrder.from_request(record.request),
            made,
            answer.get("usage") or {},
            model=answer.get("model") or "",
            request_id=answer.get("request_id"),
            problem=answer.get("problem"),
            pricing=self._studio_for(record).pricing,
        )


def _gone(key: str) -> str:
    word = shlex.quote(key)
    return (
        "the service knows no such task any more, because it expired (after 7 days) or was "
        "deleted, or belongs to another account or region, or to an emulator that was restarted; "
        f"look there, or give it up with `doubao jobs cancel {word}`, after which "
        f"`doubao jobs release {word}` lets it be made and paid for anew"
    )


def _task(record: Record) -> VideoTask:
    # How long a film takes depends on these, and until the first look nobody else says them.
    known = ("resolution", "duration", "service_tier")
    raw = {name: record.request[name] for name in known if name in record.request}
    return VideoTask(
        id=record.task_id or "",
        status=record.status or "queued",
        model=record.model,
        raw={"id": record.task_id, **raw},
    )


def _is_saved(result: VideoResult) -> bool:
    whole = result.last_frame_url is None or result.last_frame_location is not None
    return result.location is not None and whole


def _pictures(record: Record) -> Sequence[Image]:
    items: Sequence[JSON] = (record.answer or {}).get("images") or ()
    return [Image.parse(item, index) for index, item in enumerate(items)]


def _progress(record: Record) -> Progress:
    waited = time.time() - (record.posted_at or record.created_at)
    return Progress(
        task_id=record.task_id or "",
        status=record.status or record.state.value,
        seconds=max(0.0, waited),
    )
