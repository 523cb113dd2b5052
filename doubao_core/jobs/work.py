"""Sending the paid request of a job: once, between two notes in the ledger."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from doubao_core import media
from doubao_core.api.images import Image, Images
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import (
    AmbiguousSubmit,
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    RequestError,
)
from doubao_core.jobs.driver import CallerLeft
from doubao_core.jobs.job import NO_LIST, kept
from doubao_core.jobs.leases import Leases
from doubao_core.jobs.ledger import Ledger
from doubao_core.jobs.machine import State
from doubao_core.jobs.marking import Marking, OvertakenError
from doubao_core.jobs.reconcile import PATIENCE
from doubao_core.jobs.record import OUTPUT_DIR, Record
from doubao_core.jobs.steps import Call, Flow, Keep, Next, Pause, Show, Whole
from doubao_core.operation import JSON
from doubao_core.saving import Outcome
from doubao_core.studio import outcome
from doubao_core.studio.allowance import Allowance
from doubao_core.studio.drive import AsyncStudio, Studio
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.pictures import streams
from doubao_core.studio.results import MadeImage

_LOG = logging.getLogger(__name__)
# After these nothing was made and nothing is paid.
UNPAID = (ConfigError, ConnectionFailed, RequestError)
_UNSENT = frozenset({State.NEW, State.REFUSED})
_NOTES = 4
# Seconds for which a caller who leaves waits for pictures that are paid for.
_LEAVING = 60.0
SAVED = "doubao_saved"
"""Where the ledger says of a picture that came inside the answer which file it is."""
BLANK: Mapping[str, None] = dict.fromkeys(
    ("lost_at", "task_id", "status", "answer", "result", "error", "reason")
)
"""What an earlier attempt left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the jobs of one object are treated.

    Attributes:
        provider: Whose jobs they are.
        storage: Where results go; ``None`` for where each job's own program saves.
        marks: Whether a task carries a mark of its job.
        patience: Seconds for which the task of a lost answer is looked for.
        pause: Seconds between two looks.
    """

    provider: str
    storage: media.Storage | None
    marks: bool = True
    patience: float = PATIENCE
    pause: float = 2.0

    def place(self, record: Record) -> media.Storage:
        """Give where the results of *record* go."""
        if self.storage is not None:
            return self.storage
        return media.storage(record.output_dir or OUTPUT_DIR)


class Work:
    """One caller's work on jobs: what it holds, and the flows that send.

    Args:
        ledger: Where jobs are written down.
        leases: Keeps what is taken there.
        client: Lists tasks.
        studio: Makes the studio that saves there and waits so many seconds for a film.
        allowance: Limits of the caller.
        rules: How the jobs are treated.

    Attributes:
        token: What its leases are taken under.
        opened: Generators of the studio that must be closed with it.
        made: Pictures that were saved, or not, by their place in the group.
    """

    def __init__(
        self,
        ledger: Ledger,
        leases: Leases,
        client: Client | AsyncClient,
        studio: Callable[[media.Storage, float], Studio | AsyncStudio],
        allowance: Allowance,
        rules: Rules,
    ) -> None:
        self.token = uuid.uuid4().hex
        self.leases = leases
        self.opened: list[Any] = []
        self._owed: list[tuple[Record, State, dict[str, Any]]] = []
        self.made: dict[int, MadeImage] = {}
        self._shown: set[int] = set()
        self._ledger = ledger
        self._client = client
        self._allowance = allowance
        self._studio = studio
        self._rules = rules

    @property
    def adrift(self) -> bool:
        """Whether the ledger failed after something was paid.

        The job is then finished from memory; a resume later finds a film by its mark.
        """
        return bool(self._owed)

    def submitted(self, draft: Record, *, showing: bool) -> Flow[Record]:
        """Write the order down and send it, unless that was done before.

        Args:
            draft: The job, new.
            showing: Save and show pictures as they come.
        """
        known: Record | None = yield Keep(partial(self._ledger.find, draft.key))
        if known is None or known.state in _UNSENT:
            # Here, because each moment between the mark and the request is one to be lost in.
            yield Keep(self._rules.place(known or draft).check)
        draft = replace(draft, output_dir=media.address_of(self._rules.place(draft)))
        record: Record = yield Keep(partial(self._ledger.intend, draft))
        self._check_provider(record)
        if record.state in _UNSENT:
            record = yield from self._sent(record, showing=showing)
        return record

    def _check_provider(self, record: Record) -> None:
        if record.provider != self._rules.provider:
            raise ConfigError(
                f"job {record.key!r} belongs to provider {record.provider!r}, and this client "
                f"talks to {self._rules.provider!r}: use a client of {record.provider!r}"
            )

    def _studio_for(self, record: Record, wait_timeout: float = 0.0) -> Studio | AsyncStudio:
        return self._studio(self._rules.place(record), wait_timeout)

    def _sent(self, record: Record, *, showing: bool) -> Flow[Record]:
        # Who sends it decides where it goes, also if somebody else wrote it down.
        place = media.address_of(self._rules.place(record))
        mark = record.next_mark if self._rules.marks else None
        marking = Marking(
            self._ledger,
            record,
            token=self.token,
            keep=self.leases.keep,
            changes={"mark": mark, "output_dir": place, **BLANK},
        )
        try:
            if record.kind == "image":
                return (yield from self._ordered_pictures(record, marking, showing=showing))
            # To its end: who is cancelled before the answer would leave a riddle.
            sent: Record = yield Whole(self._ordered_film(record, marking), lambda: marking.stands)
        except OvertakenError:
            return (yield from self._known(record.key))
        return sent

    def _known(self, key: str) -> Flow[Record]:
        known: Record = yield Keep(partial(self._ledger.get, key))
        return known

    def _ordered_film(self, record: Record, marking: Marking) -> Flow[Record]:
        order = VideoOrder.from_request(record.request)
        if self._rules.marks and (mark := record.next_mark) is not None:
            order = replace(order, options={**order.options, "safety_identifier": mark})
        send = partial(
            self._client.create_video, model=order.model, content=order.content, **order.options
        )
        try:
            with self._allowance.spent(order, self._rules.provider), marking.announced():
                task = yield Call(send)
        except OvertakenError:
            raise
        except UNPAID as error:
            yield from self._refused(marking, error)
            raise
        except DoubaoError as error:
            record = yield from self._marked(marking)
            lost = _lost(_cause(error))
            return (yield from self._noted(record, State.UNSURE, error=kept(error), **lost))
        record = yield from self._marked(marking)
        found = {"task_id": task.id, "status": task.status, "error": None, "reason": None}
        return (yield from self._noted(record, State.ACCEPTED, **found))

    def _refused(self, marking: Marking, error: DoubaoError) -> Flow[None]:
        """Write down that nothing was paid, also of what was refused before it was sent."""
        record = yield from self._marked(marking)
        yield from self._noted(record, State.REFUSED, error=kept(error), answer=None)

    def _marked(self, marking: Marking) -> Flow[Record]:
        return marking.marked or (yield Keep(marking.make))

    def _ordered_pictures(self, record: Record, marking: Marking, *, showing: bool) -> Flow[Record]:
        order = ImageOrder.from_request(record.request)
        name = inline_name(record, record.attempt + 1)
        items = self._studio_for(record).order_pictures(order, name=name)
        self.opened.append(items)
        came: list[Image] = []
        try:
            with marking.announced():
                item, saved = yield Next(items)
            record = yield from self._marked(marking)
            while isinstance(item, Image):
                self._arrived(item, saved)
                came.append(item)
                # Others come all at once, and are noted with the answer.
                if streams(order):
                    yield from self._remembered(record, answer=self._answer(came))
                    if showing:
                        yield from self.picture(record, item)
                item, saved = yield Next(items)
        except OvertakenError:
            raise
        except CallerLeft:
            yield from self._unwatched(record, came, items)
            raise
        except UNPAID as error:
            if any(image.error is None for image in came):
                return (yield from self._broken_off(record, came, error))
            yield from self._refused(marking, error)
            raise
        except DoubaoError as error:
            record = yield from self._marked(marking)
            return (yield from self._broken_off(record, came, error))
        return (yield from self._noted(record, State.MADE, answer=self._whole_answer(item)))

    def _unwatched(self, record: Record, came: list[Image], items: Any) -> Flow[None]:
        """Take note of the rest, which the service makes and bills although nobody waits."""
        until = time.monotonic() + _LEAVING
        try:
            while time.monotonic() < until:
                item, saved = yield Next(items)
                if not isinstance(item, Image):
                    yield from self._noted(record, State.MADE, answer=self._whole_answer(item))
                    return
                self._arrived(item, saved)
                came.append(item)
                yield from self._remembered(record, answer=self._answer(came))
        except DoubaoError as error:
            yield from self._broken_off(record, came, error)
            return
        answer = {**self._answer(came), "problem": broken_off("who had asked for it left")}
        yield from self._noted(record, State.MADE, answer=answer)

    def _arrived(self, image: Image, saved: Outcome) -> None:
        """Take note of a picture that came inside the answer, unless it must be saved again."""
        if saved is not None and image.b64_json is None:
            self.made[image.index] = outcome.arrived(image, saved)

    def _broken_off(
        self, record: Record, came: Sequence[Image], error: DoubaoError
    ) -> Flow[Record]:
        for made in outcome.came_whole(error, len(came)):
            self.made[made.index] = made
            came = [*came, Image(index=made.index)]
        if not any(image.error is None for image in came):
            lost = _lost(NO_LIST)
            return (yield from self._noted(record, State.HELD, error=kept(error), **lost))
        answer = {**self._answer(came), "problem": broken_off(_cause(error))}
        return (yield from self._noted(record, State.MADE, answer=answer))

    def _answer(self, images: Sequence[Image]) -> JSON:
        return {"images": [self._item(image) for image in images]}

    def _item(self, image: Image) -> JSON:
        item = {**image.raw, "image_index": image.index}
        item.pop(SAVED, None)
        made = self.made.get(image.index)
        if image.b64_json is not None:
            item["b64_json"] = image.b64_json
        elif made is not None and image.url is None and image.error is None:
            # It came inside the answer, and is nowhere else than where it was saved.
            item[SAVED] = made.to_dict()
        return item

    def _whole_answer(self, answer: Images) -> JSON:
        return {
            **self._answer(answer.images),
            "model": answer.model,
            "usage": answer.usage.raw if answer.usage else {},
            "request_id": answer.request_id,
            "came_at": time.time(),
        }

    def picture(self, record: Record, image: Image) -> Flow[MadeImage]:
        """Save a picture under the job's own name, and show it once."""
        made = self.made.get(image.index) or _kept(image)
        if made is None or (made.charged and made.location is None):
            name = f"{_name(record, record.attempt)}-{image.index + 1}"
            save = partial(self._studio_for(record).save_picture, image, name=name)
            made = yield Call(save)
        self.made[image.index] = made
        if image.index not in self._shown:
            self._shown.add(image.index)
            yield Show(made)
        return made

    def _noted(self, record: Record, after: State, **changes: Any) -> Flow[Record]:
        """Write down what came of a paid request; a ledger that fails now does not lose it."""
        self._owed.append((record, after, changes))
        for attempt in range(1, _NOTES + 1):
            try:
                return (yield from self._written())
            except ConfigError as error:
                _LOG.warning("job %r is %s, but: %s", record.key, after, error)
            if attempt < _NOTES:
                yield Pause(0.1 * 2**attempt)
        return replace(record, state=after, **changes)

    def _written(self) -> Flow[Record]:
        """Write down all that is owed; gives the job as it is then."""
        while True:
            record, after, changes = self._owed[0]
            noted: Record | None = yield Keep(partial(self._ledger.move, record, after, **changes))
            if noted is None:
                noted = yield from self._overtaken(record.key, after, changes.get("task_id"))
            self._owed.pop(0)
            if not self._owed:
                return noted

    def _overtaken(self, key: str, after: State, task_id: str | None) -> Flow[Record]:
        known = yield from self._known(key)
        if known.state is not after:
            _LOG.warning(
                "job %r came to be %s (task %s) after it had become %s",
                *(key, after, task_id, known.state),
            )
        return known

    def _remembered(self, record: Record, **changes: Any) -> Flow[None]:
        """Write down what is good to know, and go on if that fails."""
        try:
            yield Keep(partial(self._ledger.note, record, **changes))
        except ConfigError as error:
            _LOG.warning("job %r goes on, but: %s", record.key, error)


def _name(record: Record, attempt: int) -> str:
    return f"image-{record.id[:12]}-{attempt}"


def inline_name(record: Record, attempt: int) -> str:
    """Name the pictures that come inside the answer to this attempt, before their number."""
    return f"{_name(record, attempt)}-inline"


def _kept(image: Image) -> MadeImage | None:
    """Give what the ledger has of a picture that came inside the answer."""
    return MadeImage.from_dict(image.raw[SAVED]) if SAVED in image.raw else None


def broken_off(why: str) -> str:
    """Say that pictures may be missing although they were paid for."""
    return (
        f"The answer broke off ({why}), so pictures that were made and paid for may be missing. Do "
        "not ask for them again by yourself: tell the user."
    )


def _cause(error: DoubaoError) -> str:
    """Say what broke; what to do about it is the job's own text."""
    cause = error.__cause__ if isinstance(error, AmbiguousSubmit) else None
    return cause.message if isinstance(cause, DoubaoError) else error.message


def _lost(reason: str) -> Mapping[str, Any]:
    return {"lost_at": time.time(), "reason": reason}
