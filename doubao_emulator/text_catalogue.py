"""Chat and embedding models of both clouds, read from ark.md 20.1 to 20.4."""

from __future__ import annotations

from dataclasses import replace

from doubao_emulator.models import ChatModel, EmbeddingModel, Model

_K = 1024
_TEXT = frozenset({"text"})
_SEE = frozenset({"text", "image"})
_WATCH = _SEE | {"video"}
_READ = _WATCH | {"file"}
_HEAR = _READ | {"audio"}
_BOTH = frozenset({"json_object", "json_schema"})
_ON_OFF = ("enabled", "disabled")

# Seed 2.0 and newer: no penalties, implicit cache in blocks of 1024 tokens.
_SEED_2_0 = ChatModel(
    id="",
    inputs=_WATCH,
    context=256 * _K,
    max_input=224 * _K,
    max_answer=128 * _K,
    max_reasoning=128 * _K,
    thinking=_ON_OFF,
    effort="seed-2.0",
    structured=_BOTH,
    penalties=False,
    cache_block=_K,
    file_ids=True,
)
_SEED_2_1 = replace(
    _SEED_2_0,
    inputs=_READ,
    context=1024 * _K,
    max_input=1024 * _K,
    max_answer=256 * _K,
    max_reasoning=256 * _K,
    effort="seed-2.1",
    summary=True,
)
_SEED_2_1_JUNE = replace(_SEED_2_1, context=256 * _K, max_input=256 * _K, flex=True)
_CHARACTER = replace(
    _SEED_2_0,
    inputs=_SEE,
    context=128 * _K,
    max_input=96 * _K,
    max_answer=32 * _K,
    file_ids=False,
)
_DEEPSEEK_4 = ChatModel(
    id="",
    context=1024 * _K,
    max_input=1024 * _K,
    max_answer=384 * _K,
    max_reasoning=128 * _K,
    thinking=_ON_OFF,
    effort="deepseek-v4",
    cache_block=2 * _K,
)
_DEEPSEEK_4_GA = replace(
    _DEEPSEEK_4,
    effort="deepseek-v4-ga",
    structured=_BOTH,
    flex=True,
    logprobs=True,
    max_stops=16,
    default_usage_chunk=True,
)
_DEEPSEEK_4_1 = replace(
    _DEEPSEEK_4,
    id="deepseek-v4-1-flash-260910",
    inputs=_SEE,
    max_reasoning=384 * _K,
    effort="deepseek-v4.1",
    structured=_BOTH,
    logprobs=True,
    cache_block=256,
    counts_thought=True,
)
_GLM_5_2 = replace(
    _DEEPSEEK_4,
    id="glm-5-2-260617",
    max_answer=128 * _K,
    effort="glm-5.2",
    default_usage_chunk=True,
)
_GLM_5_3 = replace(
    _GLM_5_2,
    id="glm-5-3-flash-260828",
    inputs=_SEE,
    thinking=("enabled",),
    effort="glm-5.3",
    cache_block=8960,
    default_usage_chunk=False,
)
# Before seed 2.0: penalties, no implicit cache, finer image tokens (ark.md 4.2, 20.2).
_SEED_1 = ChatModel(
    id="",
    inputs=_WATCH,
    context=256 * _K,
    max_input=224 * _K,
    max_answer=32 * _K,
    max_reasoning=32 * _K,
    thinking=_ON_OFF,
    effort="seed-2.0",
    structured=_BOTH,
    pixels_per_token=784,
)
_SEED_1_8 = replace(_SEED_1, max_answer=64 * _K)
_SEED_1_6_PLAIN = replace(_SEED_1, structured=frozenset())
_ALWAYS_THINKING = replace(_SEED_1_6_PLAIN, thinking=("enabled",), effort="", max_answer=16 * _K)
_SEED_1_5 = ChatModel(
    id="",
    context=32 * _K,
    max_input=32 * _K,
    max_answer=12 * _K,
    structured=frozenset({"json_object"}),
    logprobs=True,
    pixels_per_token=784,
)
_SEED_1_5_VISION = replace(_SEED_1_5, inputs=_SEE, context=128 * _K, max_input=96 * _K)
_SEED_1_5_THINKING = replace(_ALWAYS_THINKING, inputs=_TEXT, context=128 * _K, max_input=96 * _K)
_DEEPSEEK_3 = ChatModel(
    id="",
    context=128 * _K,
    max_input=128 * _K,
    max_answer=32 * _K,
    max_reasoning=32 * _K,
    thinking=("disabled", "enabled"),
    structured=frozenset({"json_object"}),
)

_ARK_CHAT = (
    replace(_SEED_2_1, id="doubao-seed-2-1-pro-260915", flex=True),
    replace(_SEED_2_1, id="doubao-seed-2-1-lite-260915", flex=True, inputs=_HEAR),
    replace(_SEED_2_1, id="doubao-seed-evolving"),
    replace(_SEED_2_1_JUNE, id="doubao-seed-2-1-pro-260628"),
    replace(_SEED_2_1_JUNE, id="doubao-seed-2-1-turbo-260628", cache_block=2 * _K),
    replace(_SEED_2_0, id="doubao-seed-2-0-lite-260428", inputs=_HEAR, summary=True, flex=True),
    replace(_SEED_2_0, id="doubao-seed-2-0-mini-260428", inputs=_HEAR),
    replace(_SEED_2_0, id="doubao-seed-2-0-pro-260215"),
    replace(_SEED_2_0, id="doubao-seed-2-0-lite-260215"),
    replace(_SEED_2_0, id="doubao-seed-2-0-mini-260215", file_ids=False),
    replace(
        _SEED_2_0,
        id="doubao-seed-2-0-code-preview-260215",
        structured=frozenset(),
        file_ids=False,
    ),
    replace(_CHARACTER, id="doubao-seed-character-260628"),
    replace(
        _CHARACTER,
        id="doubao-seed-character-251128",
        inputs=_TEXT,
        # It is older than seed 2.0, from which on ark.md 4.1 has no penalties.
        penalties=True,
        max_reasoning=0,
        thinking=(),
        effort="",
        structured=frozenset(),
    ),
    ChatModel(
        id="doubao-seed-translation-250915",
        context=4 * _K,
        max_input=_K,
        max_answer=3 * _K,
        tools=False,
        total_limit=False,
    ),
    _GLM_5_3,
    _GLM_5_2,
    _DEEPSEEK_4_1,
    replace(_DEEPSEEK_4_GA, id="deepseek-v4-pro-ga-260813"),
    replace(_DEEPSEEK_4_GA, id="deepseek-v4-flash-ga-260731"),
    replace(_DEEPSEEK_4, id="deepseek-v4-pro-260425"),
    replace(_SEED_1_8, id="doubao-seed-1-8-251228"),
    replace(_SEED_1_6_PLAIN, id="doubao-seed-code-preview-251028", cache_block=_K),
    replace(_SEED_1, id="doubao-seed-1-6-251015"),
    replace(_SEED_1, id="doubao-seed-1-6-250615", thinking=("enabled", "disabled", "auto")),
    replace(_SEED_1_6_PLAIN, id="doubao-seed-1-6-lite-251015"),
    replace(_SEED_1_6_PLAIN, id="doubao-seed-1-6-vision-250815"),
    replace(_SEED_1, id="doubao-seed-1-6-flash-250828"),
    replace(_SEED_1, id="doubao-seed-1-6-flash-250615", max_answer=16 * _K),
    replace(_ALWAYS_THINKING, id="doubao-seed-1-6-thinking-250715"),
    replace(_ALWAYS_THINKING, id="doubao-seed-1-6-thinking-250615"),
    replace(_SEED_1_5, id="doubao-1-5-pro-32k-250115"),
    replace(_SEED_1_5, id="doubao-1-5-lite-32k-250115"),
    replace(_SEED_1_5_VISION, id="doubao-1-5-vision-pro-250328"),
    replace(
        _SEED_1_5_VISION,
        id="doubao-1-5-vision-pro-32k-250115",
        context=32 * _K,
        max_input=32 * _K,
    ),
    replace(
        _SEED_1_5_VISION,
        id="doubao-1-5-ui-tars-250428",
        context=32 * _K,
        max_input=32 * _K,
        max_answer=4 * _K,
    ),
    replace(_SEED_1_5_THINKING, id="doubao-1-5-thinking-pro-250415"),
    replace(_SEED_1_5_THINKING, id="doubao-1-5-thinking-vision-pro-250428", inputs=_SEE),
    replace(_DEEPSEEK_3, id="deepseek-v3-2-251201"),
    replace(_DEEPSEEK_3, id="deepseek-v3-1-terminus"),
    replace(_DEEPSEEK_3, id="deepseek-v3-250324", thinking=(), max_answer=16 * _K),
    replace(_DEEPSEEK_3, id="deepseek-r1-250528", thinking=("enabled",), max_answer=16 * _K),
    replace(_DEEPSEEK_4, id="deepseek-v4-flash-260425"),
    replace(_DEEPSEEK_3, id="glm-4-7-251222", context=200 * _K, max_answer=128 * _K),
)

# What accepts json_schema here is the probe's list, which contradicts Ark's own (ark.md 20.3).
_BYTEPLUS_CHAT = (
    replace(_SEED_2_0, id="seed-2-0-pro-260328"),
    replace(_SEED_2_1_JUNE, id="dola-seed-2-1-turbo-260628", cache_block=2 * _K, flex=False),
    replace(
        _SEED_2_0,
        id="seed-2-0-lite-260428",
        inputs=_HEAR,
        summary=True,
        structured=frozenset({"json_object"}),
    ),
    replace(
        _SEED_2_0,
        id="seed-2-0-mini-260428",
        inputs=_HEAR,
        structured=frozenset({"json_object"}),
    ),
    replace(_SEED_2_0, id="seed-2-0-lite-260228"),
    replace(_SEED_2_0, id="seed-2-0-mini-260215"),
    replace(_SEED_2_0, id="seed-2-0-code-preview-260328", structured=frozenset()),
    replace(_SEED_1_8, id="seed-1-8-251228"),
    replace(_SEED_1, id="seed-1-6-250915"),
    replace(_SEED_1, id="seed-1-6-250615"),
    replace(_SEED_1, id="seed-1-6-flash-250715"),
    replace(_SEED_1, id="seed-1-6-flash-250615"),
    replace(_GLM_5_2, structured=_BOTH),
    replace(
        _DEEPSEEK_3,
        id="glm-4-7-251222",
        context=256 * _K,
        max_input=224 * _K,
        max_answer=128 * _K,
        structured=_BOTH,
        ignores_schema=True,
    ),
    replace(_DEEPSEEK_4, id="deepseek-v4-pro-260425"),
    replace(_DEEPSEEK_4, id="deepseek-v4-flash-260425"),
    replace(_DEEPSEEK_3, id="deepseek-v3-2-251201"),
    replace(
        _DEEPSEEK_3,
        id="gpt-oss-120b-250805",
        max_input=96 * _K,
        max_answer=64 * _K,
        structured=frozenset(),
    ),
    _GLM_5_3,
    _DEEPSEEK_4_1,
    replace(_DEEPSEEK_4_GA, id="deepseek-v4-pro-ga-260813"),
    replace(_DEEPSEEK_4_GA, id="deepseek-v4-flash-ga-260731"),
)

_VISION_251215 = EmbeddingModel(
    id="doubao-embedding-vision-251215",
    inputs=_WATCH,
    context=128 * _K,
    dimensions=(2048, 1024),
    multimodal=True,
    sparse=True,
    rich=True,
)
_VISION_250615 = replace(_VISION_251215, id="doubao-embedding-vision-250615", rich=False)
# ark.md 20.4 leaves the dimensions of these two open; 2048 is the documented default.
_VISION_OLD = replace(
    _VISION_250615,
    id="doubao-embedding-vision-250328",
    inputs=_SEE,
    context=8 * _K,
    dimensions=(2048,),
    single=True,
    sparse=False,
)

_ARK_EMBEDDING = (
    _VISION_251215,
    _VISION_250615,
    _VISION_OLD,
    replace(_VISION_OLD, id="doubao-embedding-vision-241215"),
    EmbeddingModel(
        id="doubao-embedding-large-text-250515",
        context=128 * _K,
        dimensions=(2048, 1024, 512, 256),
        status="Retiring",
    ),
    EmbeddingModel(
        id="doubao-embedding-text-240715",
        context=4 * _K,
        dimensions=(2560, 2048, 1024, 512),
        status="Retiring",
    ),
    EmbeddingModel(
        id="doubao-embedding-text-240515",
        context=4 * _K,
        dimensions=(2048, 1024, 512),
        status="Retiring",
    ),
)
_BYTEPLUS_EMBEDDING = (
    replace(_VISION_251215, id="skylark-embedding-vision-251215"),
    replace(_VISION_250615, id="skylark-embedding-vision-250615"),
)

ARK: tuple[Model, ...] = (*_ARK_CHAT, *_ARK_EMBEDDING)
BYTEPLUS: tuple[Model, ...] = (*_BYTEPLUS_CHAT, *_BYTEPLUS_EMBEDDING)
