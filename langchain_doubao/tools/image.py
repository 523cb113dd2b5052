"""The tool ``generate_image`` (ark.md 14)."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from doubao_core import ConfigError, media, studio
from doubao_core.studio import Arguments, ImageResult, MadeImage
from doubao_core.studio.commission import Commission
from doubao_core.studio.watching import OnPicture
from langchain_doubao.tools.base import Content
from langchain_doubao.tools.events import IMAGE_EVENT
from langchain_doubao.tools.paid import PaidTool

_LOG = logging.getLogger(__name__)


class SeedreamImageTool(PaidTool):
    """Tool ``generate_image``: makes and edits pictures with Seedream; each picture costs money.

    Pictures are saved to ``output_dir``. Arguments are checked against the model's limits before
    anything is sent; the request is sent once. Each picture is a custom event
    (``doubao_image_progress``), an item of LangGraph's custom stream, and a call of ``on_picture``,
    as it comes from models that stream. The artifact is an ``ImageResult``.

    .. code-block:: python

        from langchain_doubao import SeedreamImageTool

        tool = SeedreamImageTool(
            model="doubao-seedream-5-0-260128", output_dir="pictures", fixed={"watermark": False}
        )
        print(tool.invoke({"prompt": "A tea garden at dawn", "size": "16:9"}))
    """

    name: str = "generate_image"
    description: str = (
        "Make a picture from a description, or edit pictures. Returns the file names of the "
        "results. Costs money: call once for what is needed."
    )
    arguments: ClassVar[type[Arguments]] = studio.ImageArguments
    event: ClassVar[str] = IMAGE_EVENT

    model: str = studio.IMAGE_MODEL
    """Model id (``doubao-seedream-…``; BytePlus has other names) or endpoint id."""
    image_response_format: Literal["url", "b64_json"] = "url"
    """How pictures come from the service; they are saved either way."""
    max_images_per_call: int = Field(default=4, ge=1, le=15)
    """Most pictures that the model may ask for at once."""
    sizes: Sequence[str] = ()
    """The only values of ``size`` that the model may use; empty allows what Seedream takes. The
    model must say one, but for the only one."""
    show: Literal["url", "base64"] | None = None
    """Show results to a model that can see, as content blocks. The service's URL is signed and ends
    after 24 hours, and with it a saved conversation; base64 makes states large."""
    on_picture: OnPicture | None = Field(default=None, exclude=True, repr=False)
    """Called with each :class:`~doubao_core.studio.MadeImage` as it comes."""

    @property
    def _rules(self) -> studio.ImageRules:
        # Made anew each time: a field may have been changed, here or in an updated copy.
        return studio.ImageRules(
            model=self.model,
            references=self._references(),
            most_images=self.max_images_per_call,
            sizes=self.sizes,
            response_format=self.image_response_format,
            fixed=self.fixed,
            shown=self.more_arguments,
            extra_body=self.extra_body,
        )

    def _schema(self) -> type[Arguments]:
        return self._rules.schema()

    def _commission(self) -> Commission:
        return Commission(rules=self._rules, on_picture=self.on_picture, **self._terms())

    def _shown(self, result: ImageResult) -> Content:
        if self.show is None:
            return result.text
        text: dict[str, Any] = {"type": "text", "text": result.text}
        return [text, *filter(None, map(self._block, result.saved))]

    def _block(self, image: MadeImage) -> dict[str, Any] | None:
        if self.show == "url" and image.url:
            return {"type": "image", "url": image.url}
        try:
            content = media.storage(self.output_dir).read(image.name or "", media.MAX_BYTES)
        except ConfigError as error:
            # It is made and paid for: that it cannot be shown is no reason to lose the result.
            _LOG.warning("a picture is not shown to the model: %s", error)
            return None
        return {
            "type": "image",
            "base64": base64.b64encode(content).decode(),
            "mime_type": image.media_type,
        }
