"""Probes: errors, and the model object itself."""

import asyncio
import copy
import os
import pickle
import socket
from unittest import mock

import tiktoken.registry
from langchain_core import exceptions as chain
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from doubao_emulator import Emulator


def _theirs(error):
    """The name of the class of langchain_core that an error belongs to, if any."""
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == chain.__name__)
    return next((kind.__name__ for kind in kinds), None)


def quota_used_up(side):
    with side.emulator.fault("quota"):
        error = side.error(lambda: side.invoke(side.model()))
    asked = len(side.emulator.requests)
    if asked == 1 and not error.is_retryable:
        return "sent once, `is_retryable` is false"
    return f"no: sent {asked} times, then says to retry" if error.is_retryable else str(asked)


def context_overflow(side):
    model = side.model(model="doubao-1-5-lite-32k-250115")
    error = side.error(lambda: side.invoke(model, "word " * 60_000))
    name = _theirs(error)
    return f"`{name}`" if name == "ContextOverflowError" else f"no: `{name}`"


def error_classes(side):
    faults = {
        "rate_limit": "ModelRateLimitError",
        "server_error": "ModelAPIError",
        "reset_before_answer": "ModelConnectionError",
    }
    seen = {}
    for fault in faults:
        with side.emulator.fault(fault):
            seen[fault] = _theirs(side.error(lambda: side.invoke(side.model(max_retries=0))))
    missing = _theirs(side.error(lambda: side.invoke(side.model(model="nobody"))))
    return "yes" if (seen, missing) == (faults, "ModelNotFoundError") else f"{seen} {missing}"


def no_choices(side):
    side.emulator.answer(body={"choices": []}, times=3)
    error = side.error(lambda: side.invoke(side.model()))
    name = _theirs(error)
    return f"`{name}`" if name else f"no: `{type(error).__name__}`"


def misspelt_argument(side):
    made = []
    error = side.error(lambda: made.append(side.model(tempurature=1)))
    if isinstance(error, ValidationError):
        return "yes"
    later = side.error(lambda: side.invoke(made[0]))
    return "no: `TypeError` at the first call" if isinstance(later, TypeError) else repr(later)


def refused_parameter(side):
    error = side.error(lambda: side.invoke(side.model(frequency_penalty=0.5)))
    if not side.emulator.requests:
        assert "frequency_penalty" in str(error)
        return "yes"
    return "no: the service's 400" if getattr(error, "status_code", None) == 400 else repr(error)


def max_tokens(side):
    side.emulator.answer("Done.", reasoning="A long chain of thought. " * 30)
    message = side.invoke(side.model(max_tokens=50))
    sent = side.emulator.requests[-1].body
    if message.text == "Done." and sent["max_tokens"] == 50:
        return "bounds the answer alone"
    if message.text == "" and sent["max_completion_tokens"] == 50:
        return "no: empty answer; sent as `max_completion_tokens`"
    return f"{message.text!r}"


def thinking(side):
    name = "thinking"
    if name in type(side.model()).model_fields:
        side.invoke(side.model(thinking="disabled"))
        cell = '`thinking="disabled"`'
    else:
        side.invoke(side.model(extra_body={"thinking": {"type": "disabled"}}))
        cell = "in `extra_body`"
    return cell if side.emulator.requests[-1].body[name] == {"type": "disabled"} else "no"


def model_profile(side):
    profile = side.model().profile
    return "yes" if profile and profile["max_input_tokens"] == 1_048_576 else f"no: `{profile}`"


def chinese_token_count(side):
    looked_up = []

    def no_network(host, *_, **__):
        looked_up.append(host)
        raise OSError("no network")

    counted = []
    # LlamaIndex, used by another test in this process, brings a tokenizer of its own.
    no_files = mock.patch.dict(os.environ, {"TIKTOKEN_CACHE_DIR": str(side.folder)})
    none_loaded = mock.patch.dict(tiktoken.registry.ENCODINGS, clear=True)
    with no_files, none_loaded, mock.patch.object(socket, "getaddrinfo", no_network):
        message = HumanMessage("月" * 1000)
        error = side.error(
            lambda: counted.append(side.model().get_num_tokens_from_messages([message]))
        )
    if error is None:
        assert not looked_up
        return "yes, an estimate" if 600 < counted[0] < 1100 else str(counted)
    return "no: downloads a tokenizer" if looked_up else repr(error)


def _used(side):
    model = side.model()
    side.invoke(model)
    return model


def pickled(side):
    model, data = _used(side), []
    error = side.error(lambda: data.append(pickle.dumps(model)))
    if error is not None:
        return f"no: `{type(error).__name__}`"
    copied = pickle.loads(data[0])  # noqa: S301 - made two lines above
    assert copied.model == model.model
    return "yes, without the key" if b"sk-secret" not in data[0] else "yes, with the key"


def deep_copied(side):
    model, copied = _used(side), []
    error = side.error(lambda: copied.append(copy.deepcopy(model)))
    if error is not None:
        return f"no: `{type(error).__name__}`"
    return "yes" if side.invoke(copied[0]).text else "no"


def several_event_loops(side):
    # The peer shares its client between all models for one address.
    with Emulator() as alone:
        model = side.model(base_url=alone.base_url)
        assert all(asyncio.run(model.ainvoke("Hi")).text for _ in range(3))
        sent = len(alone.requests)
    return "yes" if sent == 3 else f"no: sends {sent} requests for 3 calls"


def secrets(side):
    model = _used(side)
    texts = [repr(model), str(model.model_dump()), dumps(model), str(model._identifying_params)]
    return "yes" if not any("sk-secret" in text for text in texts) else "no"


PROBES = {
    "quota used up (a 429 that stays)": quota_used_up,
    "prompt longer than the context window": context_overflow,
    "the other errors as `langchain_core`'s": error_classes,
    "answer without choices": no_choices,
    "misspelt argument is refused at once": misspelt_argument,
    "parameter that the model refuses: an error before sending": refused_parameter,
    "`max_tokens=50` after a long chain of thought": max_tokens,
    "thinking off": thinking,
    "model profile": model_profile,
    "Chinese tokens counted offline": chinese_token_count,
    "pickled after use": pickled,
    "copied (`deepcopy`) after use": deep_copied,
    "one object in three `asyncio.run`": several_event_loops,
    "no key in repr, dumps, traces": secrets,
}
