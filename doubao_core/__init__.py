"""The wire protocol of Volcengine Ark and BytePlus ModelArk: clients, types, errors. No framework.

from doubao_core import Client

with Client() as client:                      # ARK_API_KEY; or Client(provider="emulator")
    answer = client.chat(
        model="doubao-seed-2-1-pro-260915",
        messages=[{"role": "user", "content": "Hello"}],
    )
    print(answer.content)
"""

from doubao_core.api.answers import ChatCompletion, ChatDelta, ToolCall, Usage
from doubao_core.api.chat import ChatOptions
from doubao_core.api.embeddings import Embeddings, MultimodalEmbedding
from doubao_core.api.files import File, Files
from doubao_core.api.images import Image, ImageEvent, ImageOptions, Images, ImageUsage
from doubao_core.api.models import Model
from doubao_core.api.moderation import Verdict
from doubao_core.api.tokens import Tokenization
from doubao_core.api.videos import VideoOptions, VideoTask, VideoTasks
from doubao_core.client import AsyncClient, Client
from doubao_core.config import ApiKey
from doubao_core.errors import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    ContentRejected,
    ContextOverflow,
    DoubaoError,
    InsufficientCredits,
    InvalidRequest,
    JobExpired,
    JobFailed,
    Malformed,
    NotFound,
    PermissionDenied,
    ProfileWarning,
    QuotaExceeded,
    RateLimited,
    RequestError,
    ResponseError,
    ServerError,
    Stalled,
    Timeout,
    TooLarge,
    Truncated,
    UnsupportedOperation,
)
from doubao_core.media import Saved
from doubao_core.pacing import Plan, RateLimit

__version__ = "0.1.0"

__all__ = [
    "AmbiguousSubmit",
    "ApiKey",
    "AsyncClient",
    "AuthenticationError",
    "ChatCompletion",
    "ChatDelta",
    "ChatOptions",
    "Client",
    "ConfigError",
    "ConnectionFailed",
    "ConnectionLost",
    "ContentRejected",
    "ContextOverflow",
    "DoubaoError",
    "Embeddings",
    "File",
    "Files",
    "Image",
    "ImageEvent",
    "ImageOptions",
    "ImageUsage",
    "Images",
    "InsufficientCredits",
    "InvalidRequest",
    "JobExpired",
    "JobFailed",
    "Malformed",
    "Model",
    "MultimodalEmbedding",
    "NotFound",
    "PermissionDenied",
    "Plan",
    "ProfileWarning",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "RequestError",
    "ResponseError",
    "Saved",
    "ServerError",
    "Stalled",
    "Timeout",
    "Tokenization",
    "TooLarge",
    "ToolCall",
    "Truncated",
    "UnsupportedOperation",
    "Usage",
    "Verdict",
    "VideoOptions",
    "VideoTask",
    "VideoTasks",
    "__version__",
]
