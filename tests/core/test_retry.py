"""Which failures are repeated: by class of error, by the service's code, and by who pays."""

from __future__ import annotations

import pytest

from doubao_core import (
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
    errors,
)
from doubao_core.operation import Repeat, Reply, Send, Wait
from doubao_core.retry import Policy, attempts, decide, retrying, settled

SAFE = Send(operation="videos.get", repeat=Repeat.SAFE)
PAID = Send(
    operation="videos.create", body={"model": "m", "prompt": "cat"}, repeat=Repeat.REFUSED_ONLY
)
POLICY = Policy(max_retries=2, rand=lambda: 0.0)

# Every class of the tree: is it repeated if the call is safe, if it is paid, and is a paid call
# ambiguous after it?
CLASSES = [
    (DoubaoError, False, False, False),
    (ConfigError, False, False, False),
    (RequestError, False, False, False),
    (InvalidRequest, False, False, False),
    (ContextOverflow, False, False, False),
    (AuthenticationError, False, False, False),
    (PermissionDenied, False, False, False),
    (NotFound, False, False, False),
    (UnsupportedOperation, False, False, False),
    (ContentRejected, False, False, False),
    (InsufficientCredits, False, False, False),
    (RateLimited, True, True, False),
    (QuotaExceeded, False, False, False),
    (ServerError, True, False, True),
    (ConnectionFailed, True, True, False),
    (ResponseError, False, False, True),
    (ConnectionLost, True, False, True),
    (Truncated, True, False, True),
    (Malformed, False, False, True),
    (TooLarge, False, False, True),
    (Timeout, False, False, True),
    (Stalled, False, False, True),
    (AmbiguousSubmit, False, False, False),
    (JobFailed, False, False, False),
    (JobExpired, False, False, False),
]

# Every row of ark.md 2.2 (one code per row and family), and whether a safe and a paid call repeat.
CODES = [
    (400, "MissingParameter", False, False),
    (400, "MissingParameter.messages", False, False),
    (400, "InvalidParameter", False, False),
    (400, "InvalidParameter.UnsupportedParameter", False, False),
    (400, "InvalidParameter.TosURLInvalid", False, False),
    (400, "InvalidEndpoint.ClosedEndpoint", False, False),
    (400, "InvalidArgumentError.UnknownRole", False, False),
    (400, "OutofContextError", False, False),
    (400, "SensitiveContentDetected", False, False),
    (400, "OutputImageSensitiveContentDetected", False, False),
    (400, "InputTextRiskDetection", False, False),
    (400, "ContentSecurityDetectionError", True, False),
    (400, "InvalidSubscription", False, False),
    (401, "AuthenticationError", False, False),
    (401, "InvalidAccountStatus", False, False),
    (403, "AccountOverdueError", False, False),
    (403, "AccessDenied", False, False),
    (403, "OperationDenied.InvalidState", False, False),
    (403, "QuotaExceeded.DoubaoSearchFreeQuotaExceeded", False, False),
    (404, "InvalidEndpointOrModel.NotFound", False, False),
    (404, "ModelNotOpen", False, False),
    (404, "NotFound.task", False, False),
    (408, None, True, False),
    (409, None, True, False),
    (409, "InvalidAction.RunningTaskDeletion", False, False),
    (413, None, False, False),
    (429, None, True, True),
    (429, "RateLimitExceeded.EndpointRPMExceeded", True, True),
    (429, "RateLimitExceeded.EndpointTPMExceeded", True, True),
    (429, "ModelAccountRpmRateLimitExceeded", True, True),
    (429, "ModelAccountIpmRateLimitExceeded", True, True),
    (429, "APIAccountRpmRateLimitExceeded", True, True),
    (429, "AccountRateLimitExceeded", True, True),
    (429, "RateLimitExceeded.EndpointFlexTPMExceeded", False, False),
    (429, "ModelAccountFlexTpmRateLimitExceeded", False, False),
    (429, "ServerOverloaded", True, True),
    (429, "RequestBurstTooFast", True, True),
    (429, "InflightBatchsizeExceeded", False, False),
    (429, "QuotaExceeded", False, False),
    (429, "AccountQuotaExceeded", False, False),
    (429, "QuotaExceeded.AgentPlanQuotaExceeded", False, False),
    (429, "SetLimitExceeded", False, False),
    (500, "InternalServiceError", True, False),
    (500, None, True, False),
    (502, None, True, False),
    (503, None, True, False),
    (504, None, True, False),
    (529, None, True, False),
]


def tree(kind):
    return {kind}.union(*(tree(child) for child in kind.__subclasses__()))


def test_the_table_names_every_class_of_the_tree():
    own = {kind for kind in tree(DoubaoError) if kind.__module__ == errors.__name__}
    assert {row[0] for row in CLASSES} == own


@pytest.mark.parametrize(("kind", "safe", "paid", "ambiguous"), CLASSES)
def test_each_class_is_repeated_or_not_by_who_pays(kind, safe, paid, ambiguous):
    error = kind("it went wrong")
    assert (decide(SAFE, 0, error, POLICY) is not None) is safe
    assert (decide(PAID, 0, error, POLICY) is not None) is paid
    assert settled(SAFE, error) is error
    assert isinstance(settled(PAID, error), AmbiguousSubmit) is (
        ambiguous or kind is AmbiguousSubmit
    )


@pytest.mark.parametrize(("status", "code", "safe", "paid"), CODES)
def test_each_code_of_the_service_is_repeated_or_not(refusal, status, code, safe, paid):
    error = errors.from_reply(refusal(status, code))
    assert (decide(SAFE, 0, error, POLICY) is not None) is safe
    assert (decide(PAID, 0, error, POLICY) is not None) is paid


@pytest.mark.parametrize(
    ("status", "code", "ambiguous"),
    [
        (500, "InternalServiceError", False),
        (502, None, True),
        (503, None, True),
        (429, None, False),
    ],
)
def test_a_paid_call_is_ambiguous_after_a_gateway_failure_not_after_an_answer(
    refusal, status, code, ambiguous
):
    error = errors.from_reply(refusal(status, code))
    assert isinstance(settled(PAID, error), AmbiguousSubmit) is ambiguous


def test_an_ambiguous_submit_says_what_was_sent_and_why():
    cause = ConnectionLost("reset", gateway="ark", status=200, request_id="0217")
    error = settled(PAID, cause)
    assert isinstance(error, AmbiguousSubmit)
    assert error.intent == {"operation": "videos.create", "body": PAID.body}
    assert error.__cause__ is cause
    assert (error.gateway, error.operation) == ("ark", "videos.create")
    assert (error.status, error.request_id) == (200, "0217")
    assert "look for it before you send it again" in str(error)


@pytest.mark.parametrize("attempt", range(6))
def test_the_pause_doubles_up_to_eight_seconds_and_is_spread_by_a_quarter(attempt):
    """Shows R000-30, R004-31."""
    error, many = ServerError("5xx", status=500), 10
    longest = min(0.5 * 2**attempt, 8.0)
    for chance, share in ((0.0, 1.0), (1.0, 0.75), (0.5, 0.875)):
        policy = Policy(max_retries=many, rand=lambda chance=chance: chance)
        assert decide(SAFE, attempt, error, policy) == pytest.approx(longest * share)


def test_the_pause_stays_a_number_after_thousands_of_attempts():
    policy = Policy(max_retries=100_000, rand=lambda: 0.0)
    assert decide(SAFE, 50_000, ServerError("5xx"), policy) == 8.0


@pytest.mark.parametrize(
    ("wanted", "pause"), [(0.0, 0.0), (7.0, 7.0), (120.0, 120.0), (120.5, None), (3600.0, None)]
)
def test_retry_after_is_obeyed_up_to_two_minutes(wanted, pause):
    assert decide(SAFE, 0, RateLimited("busy", retry_after=wanted), POLICY) == pause


def test_retry_after_makes_a_code_that_asks_for_patience_worth_waiting_for():
    code = "RateLimitExceeded.EndpointFlexTPMExceeded"
    assert decide(SAFE, 0, RateLimited("busy", code=code), POLICY) is None
    assert decide(SAFE, 0, RateLimited("busy", code=code, retry_after=9.0), POLICY) == 9.0


def test_retry_after_does_not_make_a_quota_worth_waiting_for():
    assert decide(SAFE, 0, QuotaExceeded("used up", retry_after=1.0), POLICY) is None


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_there_are_as_many_attempts_as_allowed_and_one_more(retries):
    flow = attempts(SAFE, Policy(max_retries=retries, rand=lambda: 0.0))
    steps = [next(flow)]
    for _ in range(retries):
        steps += [flow.throw(ServerError("5xx")), next(flow)]
    with pytest.raises(ServerError) as caught:
        flow.throw(ServerError("5xx"))
    assert [type(step) for step in steps] == [Send, *[Wait, Send] * retries]
    assert caught.value.operation == "videos.get"


def test_an_attempt_that_succeeds_ends_the_attempts(pump, refusal):
    good = Reply(status=200, headers={}, body=b"{}")

    def flow():
        return (yield SAFE)

    done = pump(flow(), refusal(503), ConnectionLost("reset"), good, max_retries=2)
    assert (done.result.body, done.result.elapsed) == (good.body, 1.0 + sum(done.waits))
    assert done.sends == [SAFE] * 3
    assert done.waits == [0.5, 1.0]


def test_a_failure_is_thrown_into_the_flow_which_may_go_on(pump, refusal):
    def flow():
        try:
            yield SAFE
        except NotFound as error:
            return error.code

    assert pump(flow(), refusal(404, "NotFound.task")).result == "NotFound.task"


def test_a_paid_answer_that_cannot_be_read_is_ambiguous(pump):
    def flow():
        reply = yield PAID
        return reply.json()

    with pytest.raises(AmbiguousSubmit) as caught:
        pump(flow(), b"<html>")
    assert isinstance(caught.value.__cause__, Malformed)


def test_a_safe_answer_that_cannot_be_read_is_malformed(pump):
    def flow():
        reply = yield SAFE
        return reply.json()

    with pytest.raises(Malformed):
        pump(flow(), b"<html>")


@pytest.mark.parametrize("error", [KeyError("id"), TypeError("x"), AttributeError("x")])
def test_what_python_says_of_an_answer_of_another_shape_becomes_malformed(pump, error):
    def flow():
        yield SAFE
        raise error

    with pytest.raises(Malformed, match="unknown shape") as caught:
        pump(flow(), {})
    assert caught.value.__cause__ is error


def test_a_mistake_before_anything_was_sent_is_not_blamed_on_the_answer(pump):
    def flow():
        raise TypeError("the caller's")
        yield SAFE

    with pytest.raises(TypeError, match="the caller's"):
        pump(flow())


def test_a_flow_that_is_given_up_is_closed():
    closed = []

    def flow():
        try:
            yield SAFE
        finally:
            closed.append(True)

    steps = retrying(flow(), POLICY)
    next(steps)
    steps.close()
    assert closed == [True]


def test_the_time_of_all_attempts_and_pauses_is_told():
    policy = Policy(max_retries=2, rand=lambda: 0.0)
    steps = attempts(Send(operation="videos.get"), policy)
    next(steps)
    lost = ConnectionLost("reset")
    lost.elapsed = 5.0
    pause = steps.throw(lost)
    next(steps)
    with pytest.raises(StopIteration) as done:
        steps.send(Reply(status=200, headers={}, body=b"{}", elapsed=1.0))
    assert done.value.value.elapsed == 5.0 + pause.seconds + 1.0
