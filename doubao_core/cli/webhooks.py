"""``doubao webhooks serve``: print the callback URL to use, and each task's states as they come."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient
from doubao_core.errors import ConfigError
from doubao_core.gateways import gateway

if TYPE_CHECKING:
    from doubao_core.webhooks import Scheme

TOKEN_VARIABLE = "DOUBAO_WEBHOOK_TOKEN"  # noqa: S105 - the name of a variable
SECRET_VARIABLE = "DOUBAO_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
_PORT = 8787


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``serve`` and its options to the parser of ``doubao webhooks``."""
    commands = parser.add_subparsers(dest="webhooks_command", required=True, metavar="command")
    serve = commands.add_parser(
        "serve",
        help="receive the service's callbacks and print the tasks",
        description="Receive the callbacks of tasks, look each task up where that is possible, and "
        f"print its state. The URL has a secret part: {TOKEN_VARIABLE}, or a new one each time.",
    )
    serve.set_defaults(run=run)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=_PORT, help="port (%(default)s), 0: a free one")
    serve.add_argument(
        "--public-url", help="where the service reaches this, such as a tunnel's URL"
    )
    serve.add_argument(
        "--provider", help="provider whose tasks they are, such as doitong (DOUBAO_PROVIDER, ark)"
    )
    serve.add_argument("--base-url", help="base URL of the provider's API (DOUBAO_BASE_URL)")
    _add_signature(serve)


def _add_signature(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group(
        "signatures",
        f"Nothing is checked without a secret, which is {SECRET_VARIABLE}. What it signs has to be "
        "said, as the provider's support tells it, unless that is documented.",
    )
    group.add_argument(
        "--signs", choices=("body", "timestamp.body"), help="check signatures, of these bytes"
    )
    group.add_argument("--signature-header", help="header with the signature, if not as documented")
    group.add_argument("--signature-prefix", help="what stands before it, if not as documented")
    group.add_argument("--signature-encoding", choices=("hex", "base64"), help="default: hex")
    group.add_argument(
        "--signature-algorithm", choices=("sha256", "sha384", "sha512"), help="default: sha256"
    )
    group.add_argument("--timestamp-header", help="header with the time of sending")
    group.add_argument(
        "--signature-fields",
        metavar="TIME,SIGNATURE",
        help="names of both in one header, such as t,v1",
    )
    group.add_argument(
        "--tolerance", type=float, metavar="SECONDS", help="how old it may be; default: 300"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; gives the exit status.

    Raises:
        ConfigError: An argument, the token or the secret is wrong, or the address cannot be used.
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
    scheme = _scheme(arguments, client.provider)
    receiver = Receiver(client, token=token, scheme=scheme, on_task=_print, on_hint=_print_hint)
    serve(App(receiver), host=arguments.host, port=arguments.port, ready=announce)
    return 0


def _scheme(arguments: argparse.Namespace, provider: str) -> Scheme | None:
    from doubao_core.webhooks import Signed

    fields = arguments.signature_fields
    options: dict[str, Any] = {
        "header": arguments.signature_header,
        "prefix": arguments.signature_prefix,
        "encoding": arguments.signature_encoding,
        "algorithm": arguments.signature_algorithm,
        "timestamp_header": arguments.timestamp_header,
        "fields": _pair(fields) if fields else None,
        "tolerance": arguments.tolerance,
    }
    given = {name: value for name, value in options.items() if value is not None}
    secret = os.environ.get(SECRET_VARIABLE)
    if not (secret or given or arguments.signs):
        return None
    webhook = gateway(provider).webhook
    if not arguments.signs and (webhook is None or webhook.signs is None):
        raise ConfigError(
            f"{SECRET_VARIABLE} or an option for signatures is set, and not what is signed: "
            "add --signs body or --signs timestamp.body"
        )
    if not secret:
        raise ConfigError(f"signatures are checked with their secret: set {SECRET_VARIABLE}")
    return Signed.as_documented(provider, secret=secret, signs=arguments.signs, **given)


def _pair(fields: str) -> tuple[str, str]:
    time, _, signature = fields.partition(",")
    if not time or not signature:
        raise ConfigError("--signature-fields needs two names, such as t,v1")
    return time, signature


def _print(task: VideoTask) -> None:
    # Not the URL of what was made, which may be signed: whoever reads the log could fetch it.
    _line(task.id, task.status, task.error.message if task.error else "")


def _print_hint(task_id: str) -> None:
    _line(task_id, "possibly done: the delivery is not signed, and there is no way to look")


def _line(*said: str) -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(at, *(each for each in said if each), flush=True)
