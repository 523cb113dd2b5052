"""``doubao webhooks serve``: print the callback URL to use, and each task's states as they come."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime

from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient

TOKEN_VARIABLE = "DOUBAO_WEBHOOK_TOKEN"  # noqa: S105 - the name of a variable
_PORT = 8787


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``serve`` and its options to the parser of ``doubao webhooks``."""
    commands = parser.add_subparsers(dest="webhooks_command", required=True, metavar="command")
    serve = commands.add_parser(
        "serve",
        help="receive the service's callbacks and print the tasks",
        description="Receive the callbacks of video tasks, look each task up, and print its state. "
        f"The URL has a secret part: {TOKEN_VARIABLE}, or a new one each time.",
    )
    serve.set_defaults(run=run)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=_PORT, help="port (%(default)s), 0: a free one")
    serve.add_argument(
        "--public-url", help="where the service reaches this, such as a tunnel's URL"
    )
    serve.add_argument("--provider", help="provider whose tasks they are (DOUBAO_PROVIDER, ark)")
    serve.add_argument("--base-url", help="base URL of the provider's API (DOUBAO_BASE_URL)")


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; gives the exit status.

    Raises:
        ConfigError: An argument or the token is wrong, or the address cannot be used.
    """
    from doubao_core.webhooks import App, Receiver, callback_url, new_token
    from doubao_core.webhooks.serve import serve

    def announce(url: str) -> None:
        print("callback_url:", callback_url(arguments.public_url or url, token), flush=True)
        if arguments.public_url is None:
            print("Only this machine reaches it: pass --public-url for others.", file=sys.stderr)

    token = os.environ.get(TOKEN_VARIABLE) or new_token()
    if arguments.public_url is not None:
        # Before anything listens, if it is wrong.
        callback_url(arguments.public_url, token)
    client = AsyncClient(provider=arguments.provider, base_url=arguments.base_url)
    app = App(Receiver(client, token=token, on_task=_print))
    serve(app, host=arguments.host, port=arguments.port, ready=announce)
    return 0


def _print(task: VideoTask) -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Not the film's URL, which is signed: whoever reads the log could fetch it.
    print(at, task.id, task.status, task.error.message if task.error else "", flush=True)
