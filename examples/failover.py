"""Two providers, one of them failing: the other answers, by the frameworks' own fallbacks.

    python examples/failover.py [--question TEXT] [--framework langchain|llamaindex|both]
                                [--first PROVIDER:MODEL] [--second PROVIDER:MODEL]

With keys for both (``XROUTE_API_KEY`` and ``ANYFAST_API_KEY``, if you choose no others) it asks the
real services. With a key missing, both are dialects of the local emulator, and the first is made to
answer with HTTP 503.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from quickstart_parts import INSTALL

try:
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelFallbackMiddleware
    from llama_index.core.llms import LLM, ChatMessage

    from doubao_core import (
        AuthenticationError,
        ConfigError,
        ConnectionFailed,
        DoubaoError,
        InsufficientCredits,
        NotFound,
        PermissionDenied,
        RateLimited,
        ResponseError,
        ServerError,
        Timeout,
    )
    from doubao_core.gateways import gateway
    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao
    from llamaindex_doubao import Doubao
except ImportError as missing:
    sys.exit(f"failover: {missing}; {INSTALL}")

QUESTION = "Why is the sky blue? One sentence."
# What another provider may do better. A wrong argument, a prompt that is too long or one that
# moderation refused is refused there, too.
WORTH_ANOTHER = (
    *(ConnectionFailed, ResponseError, ServerError, Timeout, RateLimited, InsufficientCredits),
    *(AuthenticationError, PermissionDenied, NotFound),
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A provider, the model as this provider calls it, and an address if it is not its own."""

    provider: str
    model: str
    base_url: str | None = None
    api_key: str | None = None

    def langchain(self, retries: int) -> ChatDoubao:
        """Make LangChain's model of it."""
        return ChatDoubao(
            model=self.model,
            provider=self.provider,
            base_url=self.base_url,
            api_key=self.api_key,
            max_retries=retries,
        )

    def llamaindex(self, retries: int) -> Doubao:
        """Make LlamaIndex's LLM of it."""
        return Doubao(
            model=self.model,
            provider=self.provider,
            base_url=self.base_url,
            api_key=self.api_key,
            max_retries=retries,
        )


def with_langchain(first: Choice, second: Choice, question: str) -> Iterator[tuple[str, str, str]]:
    """Ask by a model with a fallback, and by an agent whose middleware has one."""
    # The other provider is the retry: the first is asked once.
    asked, spare = first.langchain(0), second.langchain(2)
    safe = asked.with_fallbacks([spare], exceptions_to_handle=WORTH_ANOTHER)
    answer = safe.invoke(question)
    yield "with_fallbacks", answer.response_metadata["model_name"], answer.text

    agent = create_agent(asked, [], middleware=[ModelFallbackMiddleware(spare)])
    answer = agent.invoke({"messages": [("user", question)]})["messages"][-1]
    yield "ModelFallbackMiddleware", answer.response_metadata["model_name"], answer.text


def with_llamaindex(first: Choice, second: Choice, question: str) -> Iterator[tuple[str, str, str]]:
    """Ask the first LLM that does not fail; LlamaIndex itself has no fallback for LLMs."""
    llms = [first.llamaindex(0), second.llamaindex(2)]
    answer = by_the_first_that_works(llms, lambda llm: llm.chat([ChatMessage(question)]))
    yield "by_the_first_that_works", answer.raw["model"], str(answer.message.content)


def by_the_first_that_works(llms: Sequence[LLM], work: Callable[[LLM], T]) -> T:
    """Do *work* with one LLM after the other until it does not fail.

    *work* may be all that an LLM is for: a chat, a query engine's question, the run of an agent.
    """
    for llm in llms[:-1]:
        try:
            return work(llm)
        except WORTH_ANOTHER:
            continue
    return work(llms[-1])


FRAMEWORKS = {"langchain": with_langchain, "llamaindex": with_llamaindex}


@contextmanager
def reachable(first: Choice, second: Choice) -> Iterator[tuple[Choice, Choice]]:
    """Give the two as they are if there are keys, else as dialects of an emulator; say which."""
    lacking = [each.provider for each in (first, second) if not _has_key(each.provider)]
    if not lacking:
        print(f"Services: {first.provider}, and {second.provider} if that one fails.")
        yield first, second
        return
    with Emulator() as emulator:
        print(f"No API key for {' and '.join(lacking)}: both are the local emulator's.")
        print(f"There, {first.provider} answers every request with HTTP 503.")
        first, second = (_emulated(each, emulator) for each in (first, second))
        broken = urlsplit(first.base_url or "").path
        with emulator.fault("server_error", status=503, path=broken):
            yield first, second


def _emulated(choice: Choice, emulator: Emulator) -> Choice:
    try:
        base_url = emulator.base_url_of(choice.provider)
    except ValueError as error:
        raise ConfigError(f"{choice.provider} has no key, and: {error}") from error
    return replace(choice, base_url=base_url, api_key="any")


def _has_key(provider: str) -> bool:
    variables = gateway(provider).key_env
    return not variables or any(map(os.environ.get, variables))


def main() -> int:
    """Ask with the chosen frameworks and give the exit code."""
    arguments = _arguments()
    chosen = FRAMEWORKS if arguments.framework == "both" else [arguments.framework]
    try:
        with reachable(arguments.first, arguments.second) as (first, second):
            print(f"Question: {arguments.question}")
            for name in chosen:
                for way, model, text in FRAMEWORKS[name](first, second, arguments.question):
                    print(f"\n{name}, {way}: {model} answered\n  {text}")
    except DoubaoError as error:
        print(f"failover: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="failover", description="Failing over with Doubao.")
    parser.add_argument("--question", default=QUESTION, metavar="TEXT")
    parser.add_argument("--framework", choices=[*FRAMEWORKS, "both"], default="both")
    for option, default in (
        ("--first", "xroute:doubao-seed-1-6-flash-250615"),
        ("--second", "anyfast:doubao-seed-1-6-lite-251015"),
    ):
        parser.add_argument(option, type=_choice, default=default, metavar="PROVIDER:MODEL")
    arguments = parser.parse_args()
    if arguments.first.provider == arguments.second.provider:
        parser.error("--first and --second are the same provider")
    return arguments


def _choice(text: str) -> Choice:
    provider, _, model = text.partition(":")
    if not model:
        raise argparse.ArgumentTypeError(f"{text!r} is no PROVIDER:MODEL")
    return Choice(provider=provider, model=model)


if __name__ == "__main__":
    sys.exit(main())
