"""The arguments that a language model may set, described for it; both frameworks show these.

They take what models write: numbers as strings, and empty strings or ``null`` for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema, WithJsonSchema

from doubao_core.api.naming import check_arguments
from doubao_core.errors import ConfigError
from doubao_core.studio.models import MOST_GROUP

A = TypeVar("A", bound="Arguments")
T = TypeVar("T")

_HIGHEST_SEED = 2_147_483_647


def _nothing(value: Any) -> Any:
    return None if value in ("", "null", "None") else value


def _listed(value: Any) -> Any:
    value = _nothing(value)
    return [value] if isinstance(value, str) else value or None


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _optional(description: str) -> Any:
    return Field(default=None, description=description, json_schema_extra=_without_default)


# To a model these are plain types that may be left out, never `null`.
Maybe = Annotated[T | SkipJsonSchema[None], BeforeValidator(_nothing)]
Text = Maybe[str]
Texts = Annotated[list[str] | SkipJsonSchema[None], BeforeValidator(_listed)]
Number = Maybe[int]
Switch = Maybe[bool]
Count = Maybe[Annotated[int, Field(ge=1, le=MOST_GROUP)]]
Seed = Maybe[Annotated[int, Field(ge=-1, le=_HIGHEST_SEED)]]
Guidance = Maybe[Annotated[float, Field(ge=1, le=10)]]
Priority = Maybe[Annotated[int, Field(ge=0, le=9)]]
Expiry = Maybe[Annotated[int, Field(ge=3600, le=259_200)]]
Mark = Maybe[Annotated[str, Field(max_length=64)]]
Format = Maybe[Literal["png", "jpeg"]]
Background = Maybe[Literal["opaque", "transparent"]]
Optimizer = Maybe[Literal["standard", "fast"]]
Thinking = Maybe[Literal["auto", "enabled", "disabled"]]
Container = Maybe[Literal["mp4", "mov"]]
TaskType = Maybe[Literal["auto", "reference", "edit", "extend"]]
Tier = Maybe[Literal["default", "flex"]]
_PICTURE = "an http(s) URL, or the file name of an earlier result"


class Arguments(BaseModel):
    """Arguments of a tool call; unknown ones are an error, so that a slip is not lost.

    Attributes:
        rare: Those that a model sees only if a developer shows them.
        developers: Those that a model never sees, because they are not about the picture or film:
            who is told, what is paid, who waits. A developer fixes them.
    """

    model_config = ConfigDict(extra="forbid")

    rare: ClassVar[frozenset[str]] = frozenset()
    developers: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        """Say what was meant by a wrong name: pydantic says only that it is wrong."""
        if isinstance(given, Mapping):
            check_arguments(cls, given)
        return given


class ImageArguments(Arguments):
    """Arguments of ``generate_image``."""

    prompt: str = Field(
        description="What the picture shows, in detail: subject, place, light, view, style.",
        min_length=1,
    )
    size: Text = _optional(
        "Size: a level such as 2K, a ratio such as 16:9, both as in 2K 16:9, or WIDTHxHEIGHT."
    )
    max_images: Count = _optional("Most pictures to make as a coherent group; 1 if left out.")
    images: Texts = _optional(f"Pictures to edit or to take as references, each {_PICTURE}.")
    seed: Seed = _optional("Number that makes a result repeatable, where the model takes one.")
    watermark: Switch = _optional("Whether to mark the picture as AI-generated.")
    output_format: Format = _optional("File format.")
    background: Background = _optional(
        "transparent keeps the transparency of the one png picture in images."
    )
    layers: Switch = _optional("Take the one picture in images apart into layers, each a picture.")
    optimize_prompt: Optimizer = _optional("How to improve the prompt: fast, or standard, better.")
    web_search: Switch = _optional("Whether to look things up on the web first.")
    guidance_scale: Guidance = _optional("How strictly to follow the prompt, 1 to 10.")
    optimize_thinking: Thinking = _optional("Whether to think when the prompt is improved.")

    rare: ClassVar[frozenset[str]] = frozenset(
        {"background", "layers", "optimize_prompt", "web_search", "guidance_scale"}
    )
    developers: ClassVar[frozenset[str]] = frozenset({"optimize_thinking"})


class VideoArguments(Arguments):
    """Arguments of ``generate_video``."""

    prompt: str = Field(
        description="What happens in the video, in detail: subject, movement, place, camera.",
        min_length=1,
    )
    duration: Number = _optional("Length in seconds.")
    ratio: Text = _optional("Ratio: 16:9, 4:3, 1:1, 3:4, 9:16, 21:9, or adaptive.")
    resolution: Text = _optional("Resolution: 480p, 720p or 1080p; higher costs more.")
    first_frame: Text = _optional(f"Picture that the video starts with: {_PICTURE}.")
    last_frame: Text = _optional(
        f"Picture that the video ends with, only together with first_frame: {_PICTURE}."
    )
    reference_images: Texts = _optional(
        f"Pictures of people, things or styles to use, not together with frames; each {_PICTURE}."
    )
    reference_videos: Texts = _optional(
        "Videos to take motion or style from, to edit or to extend, not together with frames; each "
        "an http(s) URL."
    )
    reference_audios: Texts = _optional(
        "Voices, music or sounds to use, not together with frames; each an http(s) URL."
    )
    generate_audio: Switch = _optional("Whether the video has sound.")
    seed: Seed = _optional("Number that makes results more alike.")
    watermark: Switch = _optional("Whether to mark the video as AI-generated.")
    return_last_frame: Switch = _optional(
        "Whether to keep the last picture, to continue from it with another video."
    )
    draft: Switch = _optional("Whether to make a cheap 480p draft first, for draft_task.")
    draft_task: Text = _optional(
        "Task id of a draft, to make it in full; only resolution is then chosen anew."
    )
    task_type: TaskType = _optional(
        "What reference_videos are for: reference, edit or extend; by default the prompt says it."
    )
    frames: Number = _optional("Length in frames at 24 a second, 25 + 4n; instead of duration.")
    camera_fixed: Switch = _optional("Whether the camera stands still.")
    web_search: Switch = _optional("Whether to look things up on the web first.")
    output_format: Container = _optional("File format.")
    service_tier: Tier = _optional("flex costs half and waits its turn.")
    priority: Priority = _optional("Place in the queue, 9 first.")
    execution_expires_after: Expiry = _optional("Seconds until a task that is not done expires.")
    callback_url: Text = _optional("URL that is told of each change of the task.")
    safety_identifier: Mark = _optional("Mark of the end user, hashed.")

    rare: ClassVar[frozenset[str]] = frozenset(
        {
            "draft",
            "draft_task",
            "task_type",
            "frames",
            "camera_fixed",
            "web_search",
            "output_format",
        }
    )
    developers: ClassVar[frozenset[str]] = frozenset(
        {
            "service_tier",
            "priority",
            "execution_expires_after",
            "callback_url",
            "safety_identifier",
        }
    )


class TaskArguments(Arguments):
    """Arguments of ``check_video``."""

    task_id: str = Field(description="Task id as generate_video gave it, such as cgt-….")


def without(
    arguments: type[Arguments],
    hidden: Collection[str],
    notes: Mapping[str, Mapping[str, Any]] | None = None,
) -> type[Arguments]:
    """Give *arguments* without the *hidden* ones, for the schema a model sees.

    Args:
        arguments: All that there are.
        hidden: Names that the model must not see: fixed by a developer, or not for this model.
        notes: The whole JSON Schema of an argument that may be left out, where a developer allows
            less than the model takes.
    """
    notes = notes or {}
    if not hidden and not notes:
        return arguments
    shown: dict[str, Any] = {
        name: _noted(info, notes[name]) if name in notes else (info.rebuild_annotation(), info)
        for name, info in arguments.model_fields.items()
        if name not in hidden
    }
    return create_model(arguments.__name__, __base__=Arguments, __doc__=arguments.__doc__, **shown)


def _noted(info: FieldInfo, note: Mapping[str, Any]) -> tuple[Any, Any]:
    # Inside the union, because LangChain copies a field's type and drops its JSON Schema extras.
    absent: Any = SkipJsonSchema
    closed: Any = Annotated[info.annotation, WithJsonSchema(dict(note))]
    taken: Any = Annotated[closed | absent[None], BeforeValidator(_nothing)]
    return taken, _optional(note["description"])


def settled(arguments: type[Arguments], fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check what a developer fixed, and give it as the types that requests have.

    Raises:
        ConfigError: What is fixed is no argument, or has a value that it cannot have.
    """
    if unknown := sorted(set(fixed) - arguments.model_fields.keys()):
        raise ConfigError(
            f"fixed= names no argument of this tool: {', '.join(unknown)}; it has "
            f"{', '.join(arguments.model_fields)}"
        )
    return {name: _value(arguments, name, value) for name, value in fixed.items()}


def _value(arguments: type[Arguments], name: str, value: Any) -> Any:
    made = arguments.model_construct()
    try:
        arguments.__pydantic_validator__.validate_assignment(made, name, value)
    except ValidationError as error:
        raise ConfigError(f"fixed= has a wrong value for {name}: {value!r}") from error
    return getattr(made, name)


def hidden(
    arguments: type[Arguments],
    fixed: Collection[str],
    shown: Collection[str],
    lacks: Collection[str],
) -> frozenset[str]:
    """Name the arguments that a model must neither see nor set.

    Args:
        arguments: All that there are.
        fixed: What a developer decides.
        shown: Rarely used ones that a developer lets the model set.
        lacks: What the picture or video model cannot do.

    Raises:
        ConfigError: *shown* names what cannot be shown.
    """
    for name in shown:
        if name not in arguments.rare:
            raise ConfigError(
                f"more_arguments= cannot name {name!r}; it may name "
                f"{', '.join(sorted(arguments.rare))}"
            )
        if name in lacks:
            raise ConfigError(f"more_arguments= names {name}, which this model does not take")
    return frozenset({*fixed, *arguments.developers, *(arguments.rare - {*shown}), *lacks})


def asked(
    arguments: type[A], given: Mapping[str, Any], fixed: Mapping[str, Any], unseen: Collection[str]
) -> A:
    """Check what a model wrote; what is *fixed* wins, and *unseen* arguments are unknown to it.

    Raises:
        ConfigError: It does not fit; the text says what to change.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            f'the arguments must be a mapping such as {{"prompt": "…"}}, not a '
            f"{type(given).__name__}"
        )
    for name, value in given.items():
        if name in unseen and name not in fixed and _nothing(value) is not None:
            raise ConfigError(f"{name} cannot be set here: leave it out")
    return parsed(arguments, given, fixed)


@contextmanager
def refused_as(setting: str) -> Generator[None]:
    """Name the *setting* of the developer that holds a refused value."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{setting}= cannot be: {error.message}") from error


def parsed(arguments: type[A], given: Mapping[str, Any], fixed: Mapping[str, Any]) -> A:
    """Check what a model wrote, together with what a developer fixed.

    Raises:
        ConfigError: It does not fit; the text says what to change.
    """
    try:
        return arguments.model_validate({**given, **fixed})
    except ValidationError as error:
        raise ConfigError(complaint(error)) from error


def complaint(error: ValidationError) -> str:
    """Say in one sentence what a model must change in its arguments."""
    return f"the arguments do not fit, correct them and call again: {faults(error)}"


def faults(error: ValidationError) -> str:
    """List what does not fit, whoever wrote it."""
    return "; ".join(
        f"{fault['loc'][0] if fault['loc'] else 'the call'}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
        # Of an argument that may be left out, pydantic also says that it could have been.
        if fault["type"] != "none_required"
    )
