"""Making the pictures and films of a script, and what became of each."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from quickstart_parts.service import IMAGE_SIZE, VIDEO_RESOLUTION, VIDEO_SECONDS, Service

from doubao_core.jobs import Batch, Done, Order
from doubao_core.prices import Estimate, money
from doubao_core.studio import ImageResult, ImageRules, References, VideoRules
from storyboard_parts.script import Scene, Script

PICTURE = "picture"
FILM = "film"


@dataclass(slots=True)
class Panel:
    """A scene of the board, with what was made of it.

    Attributes:
        problems: Why something is missing.
        costs: What its picture and its film cost, as far as that is known.
    """

    scene: Scene
    picture: Path | None = None
    film: Path | None = None
    problems: list[str] = field(default_factory=list)
    costs: list[Estimate] = field(default_factory=list)


class Board:
    """The panels of a script, and the jobs that fill them.

    Args:
        script: The scenes.
        service: Whose models are used.
        media: Folder of the pictures and films.
    """

    def __init__(self, script: Script, service: Service, media: Path) -> None:
        self.script = script
        self.panels = [Panel(scene) for scene in script.scenes]
        references = References(output_dir=media)
        self._pictures = ImageRules(
            model=service.image, references=references, fixed={"size": IMAGE_SIZE}
        )
        self._films = VideoRules(
            model=service.video,
            references=references,
            fixed={"resolution": VIDEO_RESOLUTION, "duration": VIDEO_SECONDS},
        )
        self._jobs: dict[str, tuple[Panel, str]] = {}

    def estimates(self, batch: Batch) -> list[Estimate]:
        """Say what each picture and film costs, before anything is sent."""
        orders: list[Order] = [
            *(self._picture(panel) for panel in self.panels),
            # Of the same price with a first frame as without.
            *(self._film(panel) for panel in self.panels),
        ]
        return [batch.estimate(order) for order in orders]

    def fill(self, batch: Batch) -> Generator[tuple[Panel, str, Done]]:
        """Make what is not made yet; gives each picture and film as it is ready.

        A film is ordered as soon as the picture that it begins with is there. Its key comes from
        the order, so that a scene that is written anew is made anew.
        """
        for panel in self.panels:
            self._add(batch, panel, PICTURE, self._picture(panel))
        for done in batch.as_completed():
            panel, what = self._jobs.pop(done.key)
            self._take(panel, what, done)
            yield panel, what, done
            if what == PICTURE and panel.picture is not None:
                self._add(batch, panel, FILM, self._film(panel))

    def _picture(self, panel: Panel) -> Order:
        return self._pictures.asked({"prompt": panel.scene.picture})

    def _film(self, panel: Panel) -> Order:
        first = None if panel.picture is None else panel.picture.name
        return self._films.asked({"prompt": panel.scene.motion, "first_frame": first})

    def _add(self, batch: Batch, panel: Panel, what: str, order: Order) -> None:
        key = f"{panel.scene.number:02}-{what}-{order.digest[:12]}"
        self._jobs[batch.add(order, key=key)] = panel, what

    def _take(self, panel: Panel, what: str, done: Done) -> None:
        if done.cost is not None:
            panel.costs.append(done.cost)
        file = _file(done)
        if file is None:
            panel.problems.append(f"{what}: {done.problem or 'there is no file'}")
        elif what == PICTURE:
            panel.picture = file
        else:
            panel.film = file


def _file(done: Done) -> Path | None:
    result = done.job.result if done.job is not None else None
    if isinstance(result, ImageResult):
        return result.saved[0].path if result.saved else None
    return None if result is None else result.path


def total(costs: Iterable[Estimate]) -> str:
    """Add up what is known, in each currency, and say what is not."""
    sums: dict[str, Decimal] = {}
    unknown = 0
    for cost in costs:
        if cost.amount is None or cost.currency is None:
            unknown += 1
        else:
            sums[cost.currency] = sums.get(cost.currency, Decimal(0)) + cost.amount
    said = [money(amount, currency) for currency, amount in sorted(sums.items())]
    if unknown:
        said.append(f"{unknown} of unknown price")
    return " and ".join(said) or "nothing"
