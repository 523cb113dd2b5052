"""Volcengine Ark and BytePlus ModelArk: one protocol, two clouds (ark.md 1.1, 3, 18)."""

from __future__ import annotations

from doubao_core.gateways.gateway import Gateway, Route, Webhook

_TASKS = "/contents/generations/tasks"
ROUTES = {
    "chat.create": Route("POST", "/chat/completions"),
    "embeddings.create": Route("POST", "/embeddings"),
    "embeddings.multimodal": Route("POST", "/embeddings/multimodal"),
    "images.create": Route("POST", "/images/generations"),
    "videos.create": Route("POST", _TASKS),
    "videos.get": Route("GET", f"{_TASKS}/{{task_id}}"),
    "videos.list": Route("GET", _TASKS),
    "videos.delete": Route("DELETE", f"{_TASKS}/{{task_id}}"),
    "tokenization.create": Route("POST", "/tokenization"),
    "models.list": Route("GET", "/models"),
    "files.create": Route("POST", "/files"),
    "files.get": Route("GET", "/files/{file_id}"),
    "files.list": Route("GET", "/files"),
    "files.delete": Route("DELETE", "/files/{file_id}"),
}

ARK = Gateway(
    name="ark",
    title="Volcengine Ark (cn-beijing)",
    base_url="https://ark.cn-beijing.volces.com/api/v3",
    key_env=("ARK_API_KEY",),
    routes=ROUTES,
    # A callback has the body of a look-up, and no signature (ark.md 15.5).
    webhook=Webhook(),
)
BYTEPLUS = ARK.but(
    name="byteplus",
    title="BytePlus ModelArk (ap-southeast)",
    base_url="https://ark.ap-southeast.bytepluses.com/api/v3",
    key_env=("BYTEPLUS_API_KEY", "ARK_API_KEY"),
    # BytePlus has no tokenizer (ark.md 3).
    routes={name: each for name, each in ROUTES.items() if name != "tokenization.create"},
)
BYTEPLUS_EU = BYTEPLUS.but(
    name="byteplus-eu",
    title="BytePlus ModelArk (eu-west)",
    base_url="https://ark.eu-west.bytepluses.com/api/v3",
)
GATEWAYS = (ARK, BYTEPLUS, BYTEPLUS_EU)
