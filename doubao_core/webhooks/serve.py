"""Serving the receiver by itself; the only module that knows a web server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from doubao_core.errors import ConfigError, install_hint
from doubao_core.webhooks.app import App


def serve(app: App, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve *app* until interrupted.

    Args:
        app: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        ready: Told the URL once connections are accepted.

    Raises:
        ConfigError: The extra ``webhooks`` is not installed, or the address cannot be used.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            f"serving needs the extra 'webhooks': {install_hint('webhooks')}"
        ) from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    # The log of requests would show the token, which is in the path.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="on"
    )
    # Before anybody is told: an interrupt while it still imports would be lost.
    config.load()
    with listener:
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
