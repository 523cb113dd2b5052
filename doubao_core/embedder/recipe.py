"""Which requests turn inputs into vectors, purely, and how the answers go together again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from doubao_core import catalogue
from doubao_core.api.embeddings import MOST_INPUTS, Embeddings, MultimodalEmbedding
from doubao_core.errors import ConfigError, Malformed

Vector: TypeAlias = list[float]
Weights: TypeAlias = dict[int, float]
Part: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = "Embeddings | MultimodalEmbedding"

MOST_BYTES = 100_000
"""UTF-8 bytes of one text (ark.md 10, 11)."""

_FIRST_WITH_INSTRUCTIONS = 251215
_FIRST_WITH_DIMENSIONS = 250615
_VISION_DIMENSIONS = (1024, 2048)
_VERSION = re.compile(r"-(\d{6})$")
_QUERY = "Target_modality: {}.\nInstruction:{}\nQuery:"
_SAMPLE = "Instruction:Compress the {} into one word.\nQuery:"
_MODALITIES = frozenset({"text", "image", "video", "text and image"})
_KINDS = {"text": "text", "image_url": "image", "video_url": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to be: either texts, one vector each, or the parts of one input, one vector.

    Attributes:
        first: Position of its first input among all inputs.
        texts: Texts for ``/embeddings``.
        parts: Parts for ``/embeddings/multimodal``.
        instructions: The multimodal field of that name.
        sparse: Whether sparse weights are asked for as well.
    """

    first: int
    texts: Sequence[str] = ()
    parts: Sequence[Part] = ()
    instructions: str | None = None
    sparse: bool = False

    @property
    def last(self) -> int:
        """Position of its last input."""
        return self.positions[-1]

    @property
    def positions(self) -> range:
        """Positions of its inputs among all inputs."""
        return range(self.first, self.first + max(len(self.texts), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides which vector an input gets; two equal recipes give equal vectors.

    Attributes:
        model: Model id, or ``ep-…`` endpoint id.
        dimensions: Length of the vectors; ``None`` for the model's own.
        multimodal: Which endpoint to use; ``None`` decides by the model, and endpoint ids must say.
        query_instruction: For vision models from 251215 on, the ``{}`` of the query template of
            ark.md 11.1 (or a whole template); for text models, a prefix.
        document_instruction: The same for documents. A vision model's documents get the corpus
            template of ark.md 11.1 if this is a modality such as ``"text"``, or if only the query
            side has an instruction.
        target_modality: What the corpus consists of, for the query template; where documents get
            that template as well, for theirs, so that both sides are alike.
    """

    model: str
    dimensions: int | None = None
    multimodal: bool | None = None
    query_instruction: str | None = None
    document_instruction: str | None = None
    target_modality: str = "text"

    @property
    def fused(self) -> bool:
        """Whether a request gives one vector for all its parts (``/embeddings/multimodal``)."""
        facts = catalogue.find(self.model)
        if self.multimodal and facts is not None and facts.takes("image") is False:
            raise ConfigError(
                f"{self.model!r} embeds text only: use a vision embedding model, or leave out "
                "multimodal=True"
            )
        if self.multimodal is not None:
            return self.multimodal
        if facts is not None:
            return facts.takes("image") is True
        if "embedding-vision" in self.model:
            return True
        if "embedding" in self.model:
            return False
        raise ConfigError(
            f"cannot tell which endpoint {self.model!r} needs: pass multimodal=True for a vision "
            "embedding model, multimodal=False for a text one"
        )

    def fingerprint(self, service: str, *, query: bool = False) -> str:
        """Name, for the keys of a cache, all that decides a text's vector besides the text.

        It is the same in every process, and for queries and documents where these are alike.

        Args:
            service: Where the vectors come from: two services may know one model id.
            query: Whether texts are embedded as queries.
        """
        said = self._query_instruction("text") if query else self._document_instruction("text")
        facts = [service, self.model, self.dimensions, self.fused, said or None]
        return f"{self.model}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}"

    def queries(self, texts: Sequence[str], *, sparse: bool = False) -> list[Request]:
        """Plan the requests for *texts* as questions."""
        check_list(texts)
        _check_texts(texts, "query")
        return self._texts(texts, self._query_instruction, MOST_INPUTS, sparse=sparse)

    def documents(
        self, texts: Sequence[str], *, batch_size: int = MOST_INPUTS, sparse: bool = False
    ) -> list[Request]:
        """Plan the requests for *texts* as documents.

        Args:
            texts: Sent untouched, after the prefix of a text model if it has one.
            batch_size: Most texts in one request; a multimodal model takes one at a time.
            sparse: Also ask for sparse weights; multimodal models only (ark.md 11).
        """
        check_list(texts)
        _check_texts(texts, "text")
        return self._texts(texts, self._document_instruction, batch_size, sparse=sparse)

    def inputs(self, inputs: Sequence[Sequence[Part]]) -> list[Request]:
        """Plan the requests for inputs of several parts, as documents, one vector each."""
        self._check_model()
        if inputs and not self.fused:
            raise ConfigError(
                f"{self.model!r} embeds text only; pictures and films need a vision embedding model"
            )
        return [
            Request(
                first=position,
                parts=list(parts),
                instructions=self._document_instruction(_modality(parts, position)),
            )
            for position, parts in enumerate(inputs)
        ]

    def _texts(
        self,
        texts: Sequence[str],
        instruction: Callable[[str], str | None],
        batch_size: int,
        *,
        sparse: bool,
    ) -> list[Request]:
        if not texts:
            return []
        self._check_model()
        said = instruction("text")
        if self.fused:
            _check_sizes(texts, "")
            return [
                Request(
                    first=position,
                    parts=[{"type": "text", "text": text}],
                    instructions=said,
                    sparse=sparse,
                )
                for position, text in enumerate(texts)
            ]
        if sparse:
            raise ConfigError(f"{self.model!r} gives no sparse weights: use a vision model")
        prefix = said or ""
        _check_sizes(texts, prefix)
        size = max(1, min(batch_size, MOST_INPUTS))
        return [
            Request(first=start, texts=[prefix + text for text in texts[start : start + size]])
            for start in range(0, len(texts), size)
        ]

    def _query_instruction(self, _: str) -> str | None:
        if not self.query_instruction or not self.fused:
            return self.query_instruction
        self._check_instructible()
        return _filled(self.query_instruction, self.target_modality)

    def _document_instruction(self, modality: str) -> str | None:
        said = self.document_instruction
        if not self.fused:
            return said
        if not said and not self.query_instruction:
            return None
        self._check_instructible()
        # An instruction for queries alone is retrieval: documents get that template's other half.
        return (
            _SAMPLE.format(modality)
            if not said or said in _MODALITIES
            else _filled(said, self.target_modality)
        )

    def _check_model(self) -> None:
        facts = catalogue.find(self.model)
        if facts is None:
            return
        if facts.kind != "embedding":
            instead = "use ChatDoubao or Doubao" if facts.kind == "chat" else "choose another"
            raise ConfigError(
                f"{self.model!r} is {_with_article(facts.kind)} model, not an embedding model: "
                f"{instead}",
                param="model",
            )
        version = _VERSION.search(self.model)
        if self.dimensions is None or not facts.takes("image") or version is None:
            return
        if int(version.group(1)) < _FIRST_WITH_DIMENSIONS or self.dimensions in _VISION_DIMENSIONS:
            return
        raise ConfigError(
            f"{self.model!r} has no vectors of {self.dimensions} dimensions: give dimensions=1024 "
            "or 2048",
            param="dimensions",
        )

    def _check_instructible(self) -> None:
        version = _VERSION.search(self.model)
        if version and int(version.group(1)) < _FIRST_WITH_INSTRUCTIONS:
            raise ConfigError(
                f"{self.model!r} takes no instructions: leave query_instruction and "
                f"document_instruction out, or use a version from {_FIRST_WITH_INSTRUCTIONS} on"
            )


def _filled(instruction: str, target_modality: str) -> str:
    """Fill the template of ark.md 11.1, unless *instruction* is a whole one already."""
    if instruction.endswith("\nQuery:"):
        return instruction
    return _QUERY.format(target_modality, instruction)


def _modality(parts: Sequence[Part], position: int) -> str:
    if not parts:
        raise ConfigError(f"input {position} has no parts: give at least a text or a picture")
    if isinstance(parts, Mapping) or not all(isinstance(part, Mapping) for part in parts):
        raise ConfigError(
            f'input {position} is no list of parts such as [{{"type": "text", "text": "…"}}]'
        )
    kinds = dict.fromkeys(_KINDS.get(str(part.get("type")), "") for part in parts)
    if "" in kinds:
        raise ConfigError(
            f"input {position} has a part of another type than {', '.join(_KINDS)} (ark.md 11)"
        )
    return " and ".join(sorted(kinds, key=list(_KINDS.values()).index))


def check_list(texts: object) -> None:
    """Refuse what is no list of texts.

    Raises:
        ConfigError: It is one string, whose letters would be sent and paid for, or one object.
    """
    if isinstance(texts, str):
        raise ConfigError("texts is one string: pass a list, or each letter would be a text")
    if not hasattr(texts, "__len__"):
        given = "None" if texts is None else _with_article(type(texts).__name__)
        raise ConfigError(f"texts is {given}, not a list: pass a list of strings")


def _check_texts(texts: Sequence[object], kind: str) -> None:
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            alone = kind == "query" and len(texts) == 1
            name = "the query" if alone else f"{kind} {position}"
            raise ConfigError(f"{name} is {_why_unfit(text)}")


def _why_unfit(given: object) -> str:
    if isinstance(given, str):
        return "blank, so it has no vector: leave it out"
    if given is None:
        return "None, not a string: leave it out"
    kind = _with_article(type(given).__name__)
    if hasattr(given, "page_content") or hasattr(given, "get_content"):
        return f"{kind}, not a string: pass its text (page_content, or node.get_content())"
    return f"{kind}, not a string: pass a text"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _check_sizes(texts: Sequence[str], prefix: str) -> None:
    room = MOST_BYTES - len(prefix.encode())
    for position, text in enumerate(texts):
        if (size := size_of(text)) is None:
            raise ConfigError(
                f"text {position} has half of a surrogate pair, which cannot be sent: remove it, "
                'for instance with text.encode("utf-8", "ignore").decode()'
            )
        if size > room:
            raise ConfigError(
                f"text {position} has more than {room:,} bytes: split it before embedding"
            )


def size_of(text: str) -> int | None:
    """Count the bytes of *text* in UTF-8; ``None`` if it has characters that this has not."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def dense(recipe: Recipe, answers: Sequence[Answer]) -> list[Vector]:
    """Put the vectors of *answers* in the order of the inputs; they must be of one length."""
    vectors = [
        vector
        for answer in answers
        for vector in (answer.vectors if isinstance(answer, Embeddings) else [answer.vector])
    ]
    wanted = recipe.dimensions
    if wanted is not None and vectors and len(vectors[0]) != wanted:
        raise Malformed(f"asked for {wanted} dimensions, got {len(vectors[0])}: {recipe.model!r}")
    for position, (one, other) in enumerate(pairwise(vectors)):
        if len(one) != len(other):
            raise Malformed(
                f"vector {position + 1} has {len(other)} dimensions, the one before {len(one)}"
            )
    return vectors


def sparse(answers: Sequence[Answer]) -> list[Weights]:
    """Give the sparse weights of *answers*, token index to weight, in the order of the inputs."""
    weights = [answer.sparse for answer in answers if isinstance(answer, MultimodalEmbedding)]
    present = [each for each in weights if each is not None]
    if len(present) != len(answers):
        raise Malformed(f"asked for {len(answers)} sparse embeddings, got {len(present)}")
    return present
