"""What each exception means to Temporal: `classify`, the one place that decides."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    FailureError,
    TerminatedError,
)

from segue.activities import PayloadError, Retryable, System, Terminal
from segue.activities.errors import MAXIMUM_RETRY_AFTER, classify, retry_after

REQUEST = httpx.Request("POST", "https://user:s3cret@api.example/charges?token=s3cret#s3cret")


def classified(error: BaseException, system: System | None = None) -> ApplicationError:
    """What Temporal is told in place of an error."""
    result = classify(error, system)
    assert isinstance(result, ApplicationError)
    return result


def answered(status: int, **headers: str) -> httpx.HTTPStatusError:
    """The error of an answer."""
    response = httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}, request=REQUEST)
    return httpx.HTTPStatusError("the message is not used", request=REQUEST, response=response)


# httpx

# Every exception that httpx exports, and whether it is terminal. When httpx gains one, `test_every_...` fails: decide
# what it means, change `HTTP_TERMINAL` in errors.py if it is terminal, and put it here.
HTTPX: dict[type[BaseException], bool] = {
    # abstract, and what a subclass nobody has thought of yet would be
    httpx.HTTPError: False,
    httpx.RequestError: False,
    httpx.TransportError: False,
    httpx.NetworkError: False,
    httpx.ProtocolError: False,
    httpx.TimeoutException: False,
    httpx.StreamError: False,
    # the network, or the other side: another attempt may get through
    httpx.ConnectTimeout: False,
    httpx.ReadTimeout: False,
    httpx.WriteTimeout: False,
    httpx.PoolTimeout: False,
    httpx.ConnectError: False,
    httpx.ReadError: False,
    httpx.WriteError: False,
    httpx.CloseError: False,
    httpx.ProxyError: False,
    httpx.RemoteProtocolError: False,
    # the request, or an answer that will be the same again
    httpx.InvalidURL: True,
    httpx.UnsupportedProtocol: True,
    httpx.LocalProtocolError: True,
    httpx.TooManyRedirects: True,
    httpx.DecodingError: True,
    httpx.CookieConflict: True,
    # mistakes in an activity's own code, which a fixed worker mends, as any other exception of Python's
    httpx.StreamConsumed: False,
    httpx.StreamClosed: False,
    httpx.ResponseNotRead: False,
    httpx.RequestNotRead: False,
}


def httpx_exceptions() -> Iterator[type[BaseException]]:
    """Every exception class that httpx exports, and every one it derives from those."""
    exported = [value for name in httpx.__all__ if inspect.isclass(value := getattr(httpx, name))]
    waiting = [cls for cls in exported if issubclass(cls, BaseException)]
    seen: set[type[BaseException]] = set()
    while waiting:
        cls = waiting.pop()
        if cls not in seen and cls.__module__.partition(".")[0] == "httpx":
            seen.add(cls)
            yield cls
            waiting += cls.__subclasses__()


def httpx_error(cls: type[BaseException]) -> BaseException:
    """An instance, whatever its constructor takes."""
    parameters = inspect.signature(cls).parameters
    return cls("broken") if "message" in parameters else cls()


def test_every_exception_of_httpx_has_been_thought_of() -> None:
    """When httpx gains or loses an exception, somebody decides what it means."""
    # One error of an answer means as many things as there are statuses; the tests below have them.
    assert set(httpx_exceptions()) - {httpx.HTTPStatusError} == set(HTTPX)


@pytest.mark.parametrize(("cls", "terminal"), HTTPX.items(), ids=lambda value: getattr(value, "__name__", str(value)))
def test_httpx(cls: type[BaseException], terminal: bool) -> None:
    """Each of httpx's errors is terminal or retryable as the table says, under its own name."""
    error = httpx_error(cls)
    result = classified(error)
    assert (result.type, result.non_retryable, result.next_retry_delay) == (cls.__name__, terminal, None)
    assert result.message == str(error)


def test_an_error_without_a_message_is_called_by_its_class() -> None:
    """httpx leaves many messages empty; an empty one would show as nothing on every screen."""
    assert classified(httpx.ReadTimeout("")).message == "ReadTimeout"


@pytest.mark.parametrize("status", range(400, 600))
def test_statuses(status: int) -> None:
    """408, 409, 425, 429 and 5xx are retryable, all other statuses terminal."""
    assert classified(answered(status)).non_retryable is not (status in (408, 409, 425, 429) or status >= 500)


def test_a_status_error_says_who_answered_what() -> None:
    """The message and the details name method, URL and status, and no part of the URL that may be a credential."""
    error = answered(429, retry_after="7")
    error.__cause__ = cause = ValueError("cause")
    result = classified(error)
    url = "https://api.example/charges"
    assert result.message == f"POST {url} answered 429 Too Many Requests"
    assert result.details == ({"status": 429, "method": "POST", "url": url},)
    assert result.type == "HTTPStatusError"
    assert result.next_retry_delay == timedelta(seconds=7)
    assert result.category is ApplicationErrorCategory.BENIGN
    assert result.__cause__ is cause


def test_retry_after_counts_where_there_is_another_attempt() -> None:
    """A terminal status has no delay; only a delay that a system asks for takes away the alarm."""
    terminal = classified(answered(403, retry_after="7"))
    assert (terminal.non_retryable, terminal.next_retry_delay) == (True, None)
    plain = classified(answered(503))
    assert (plain.next_retry_delay, plain.category) == (None, ApplicationErrorCategory.UNSPECIFIED)


# Retry-After

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # seconds
        ("0", timedelta(0)),
        ("7", timedelta(seconds=7)),
        (" 7 ", timedelta(seconds=7)),
        ("0000000000007", timedelta(seconds=7)),
        ("900", MAXIMUM_RETRY_AFTER),
        ("901", MAXIMUM_RETRY_AFTER),
        ("9" * 500, MAXIMUM_RETRY_AFTER),
        # a date, in the three forms that RFC 9110 5.6.7 wants read
        ("Sun, 01 Mar 2026 12:01:30 GMT", timedelta(seconds=90)),
        ("Sunday, 01-Mar-26 12:01:30 GMT", timedelta(seconds=90)),
        ("Sun Mar  1 12:01:30 2026", timedelta(seconds=90)),
        ("Sun, 01 Mar 2026 14:01:30 +0200", timedelta(seconds=90)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 01 Mar 2027 12:00:00 GMT", MAXIMUM_RETRY_AFTER),
        # nothing that can be followed
        (None, None),
        ("", None),
        ("  ", None),
        ("-7", None),
        ("7.5", None),
        ("soon", None),
        ("\u0667", None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 99999 12:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, expected: timedelta | None) -> None:
    """Seconds and dates are read, what is past is at once, what is far is capped, and nonsense is as if not there."""
    assert retry_after(value, NOW) == expected


ALMOST_DATES = st.from_regex(
    r"\A([A-Z][a-z]{2,8}, ?)?\d{1,5}[ -]?(Jan|Feb|Mai)[ -]?\d{0,6} "
    r"\d{0,4}:?\d{0,3}:?\d{0,3} ?(GMT|[+-]\d{0,9}|[A-Z]*)\Z"
)


@given(st.text(max_size=60) | ALMOST_DATES)
def test_retry_after_never_fails(value: str) -> None:
    """Whatever a system writes there, the outcome is a delay within the bounds or none."""
    delay = retry_after(value)
    assert delay is None or timedelta(0) <= delay <= MAXIMUM_RETRY_AFTER


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))])))
def test_any_now_will_do(now: datetime) -> None:
    """The earliest and the latest of times do not overflow."""
    delay = retry_after("Sun, 01 Mar 2026 12:01:30 GMT", now)
    assert delay is not None
    assert timedelta(0) <= delay <= MAXIMUM_RETRY_AFTER


# What a system declares


class Declined(Exception):
    pass


class Suspended(Declined):
    pass


class Late(Suspended):
    pass


SYSTEM = System("declared-errors-test", terminal=(Declined, httpx.TransportError), retryable=(Suspended, ValueError))


@pytest.mark.parametrize(
    ("error", "terminal"),
    [
        (Declined("no"), True),
        (Suspended("not yet"), False),
        (Late("late"), False),
        (ValueError("value"), False),
        (KeyError("key"), False),
        (httpx.ConnectTimeout("slow"), True),
    ],
)
def test_declared_classes(error: Exception, terminal: bool) -> None:
    """The most specific declared class decides, and what nobody declares stays as it was."""
    result = classified(error, SYSTEM)
    assert (result.type, result.message, result.non_retryable) == (type(error).__name__, str(error), terminal)


def test_declared_status_errors_keep_what_they_say() -> None:
    """A declaration changes whether a status is retried, not what is told of it; Retry-After goes with retrying."""
    lenient = System("lenient-errors-test", retryable=(httpx.HTTPStatusError,))
    strict = System("strict-errors-test", terminal=(httpx.HTTPStatusError,))
    retried, failed = (
        classified(answered(404, retry_after="3"), lenient),
        classified(answered(503, retry_after="3"), strict),
    )
    assert (retried.non_retryable, retried.next_retry_delay) == (False, timedelta(seconds=3))
    assert (failed.non_retryable, failed.next_retry_delay) == (True, None)
    assert failed.message == "POST https://api.example/charges answered 503 Service Unavailable"


def test_declarations_go_before_what_an_error_says_itself() -> None:
    """A system may declare Segue's own errors, and classes derived from them, otherwise than they are."""

    class Busy(Terminal):
        pass

    system = System("busy-errors-test", retryable=(Busy,))
    error = Busy("busy", {"queue": 3})
    result = classified(error, system)
    assert (result.type, result.message, result.details, result.non_retryable) == (
        "Busy",
        "busy",
        ({"queue": 3},),
        False,
    )
    assert classify(error) is error
    assert classify(Retryable("later"), SYSTEM).non_retryable is False  # type: ignore[attr-defined]


# Segue's own


def test_terminal_and_retryable() -> None:
    """The two families carry their class's name, their details, and when to come back."""

    class OutOfStock(Terminal):
        pass

    class Warming(Retryable):
        pass

    terminal = OutOfStock("none left", {"sku": "a"})
    assert (terminal.type, terminal.non_retryable, terminal.details) == ("OutOfStock", True, ({"sku": "a"},))
    assert Terminal("no", type="Other").type == "Other"
    later = Warming("warming up", after=timedelta(seconds=3))
    assert (later.type, later.non_retryable, later.next_retry_delay) == ("Warming", False, timedelta(seconds=3))
    assert (later.after, later.category) == (timedelta(seconds=3), ApplicationErrorCategory.BENIGN)
    at_backoff = Warming("warming up")
    assert (at_backoff.next_retry_delay, at_backoff.category) == (None, ApplicationErrorCategory.UNSPECIFIED)
    for error in (terminal, later, at_backoff):
        assert classify(error) is error


def test_payload_errors() -> None:
    """A value that cannot be carried is terminal, and says where it is."""
    error = PayloadError("card.number is a SecretStr", "card.number")
    assert (error.type, error.non_retryable, error.path) == ("PayloadError", True, "card.number")


# pydantic


class Order(pydantic.BaseModel):
    id: str
    cents: list[int]


def validation_error(given: Any) -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as raised:
        Order.model_validate(given)
    return raised.value


def test_validation_errors_are_terminal_and_show_no_input() -> None:
    """The message names the fields and what is wrong, and repeats nothing of the input, which may be secret."""
    result = classified(validation_error({"cents": [1, "s3cret"]}))
    assert (result.type, result.non_retryable) == ("ValidationError", True)
    assert result.message == (
        "Order is not valid: id: Field required; cents.1: Input should be a valid integer, unable to parse string "
        "as an integer"
    )


def test_a_long_validation_error_is_cut() -> None:
    """Ten problems are named, the others counted: a failure that is too large is never delivered."""
    result = classified(validation_error({"id": "1", "cents": ["x"] * 1000}))
    assert str(result.message).count("cents.") == 10
    assert str(result.message).endswith("; and 990 more")


def test_a_validation_error_of_the_whole_value() -> None:
    """Where the value itself is wrong, there is no field to name."""
    result = classified(validation_error(5))
    assert result.message == ("Order is not valid: (value): Input should be a valid dictionary or instance of Order")


# Everything else


def test_other_exceptions_are_retryable_as_in_plain_temporal() -> None:
    """An unknown error may be mended by a deployment; it keeps its class, message, traceback and cause."""
    try:
        raise KeyError("sku") from ValueError("cause")
    except KeyError as raised:
        error = raised
    result = classified(error)
    assert (result.type, result.message, result.non_retryable, result.details) == ("KeyError", "'sku'", False, ())
    assert result.__traceback__ is error.__traceback__
    assert result.__cause__ is error.__cause__
    assert classified(RuntimeError()).message == "RuntimeError"


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1), CancelledError("stop"), TerminatedError("end")],
)
def test_control_errors_pass(error: BaseException) -> None:
    """Cancellation and Temporal's own errors mean what they mean, even to a system that declares everything."""
    everything = System("everything-errors-test", terminal=(BaseException,))
    assert classify(error) is error
    if not isinstance(error, FailureError):
        assert classify(error, everything) is error


def test_a_terminal_error_in_a_task_group_is_terminal() -> None:
    """What a task group wraps decides: one terminal error makes the step terminal, under its own message and type."""
    group = ExceptionGroup("unhandled errors in a TaskGroup", [OSError("reset"), ExceptionGroup("", [Terminal("no")])])
    meant = classify(group)
    assert isinstance(meant, ApplicationError)
    assert (meant.message, meant.type, meant.non_retryable) == ("no (and 1 more)", "Terminal", True)


def test_a_group_of_retryable_errors_waits_for_the_longest() -> None:
    """Without a terminal error the longest wait that any of them asks for is kept."""
    errors = [Retryable("soon", after=timedelta(seconds=1)), Retryable("later", after=timedelta(seconds=9))]
    meant = classify(ExceptionGroup("", errors))
    assert isinstance(meant, ApplicationError)
    assert (meant.message, meant.next_retry_delay, meant.non_retryable) == (
        "later (and 1 more)",
        timedelta(seconds=9),
        False,
    )


@pytest.mark.parametrize("cancelled", [asyncio.CancelledError(), CancelledError("stop")])
def test_cancellation_in_a_group_is_cancellation(cancelled: BaseException) -> None:
    """Alone it means what it means; beside an error it is that error's consequence, and does not count."""
    assert classify(BaseExceptionGroup("", [cancelled])) is cancelled
    meant = classified(BaseExceptionGroup("", [cancelled, Terminal("card declined", {"card": 3}, type="Declined")]))
    assert (meant.message, meant.type, meant.non_retryable) == ("card declined", "Declined", True)
    assert meant.details == ({"card": 3},)
    leave = SystemExit(1)
    assert classify(BaseExceptionGroup("", [ValueError("bad"), cancelled, leave])) is leave


def test_a_system_declares_what_is_in_a_group_or_the_group_itself() -> None:
    """Its declarations hold for each error in a group, unless it declares the group's own class."""

    class Batch(ExceptionGroup[Exception]):
        pass

    inner = classified(ExceptionGroup("", [KeyError("other"), Declined("no")]), SYSTEM)
    assert (inner.message, inner.type, inner.non_retryable) == ("no (and 1 more)", "Declined", True)
    retried = System("batch-errors-test", retryable=(Batch,))
    whole = classified(Batch("some failed", [Terminal("no")]), retried)
    assert (whole.message, whole.type, whole.non_retryable) == ("some failed (1 sub-exception)", "Batch", False)
