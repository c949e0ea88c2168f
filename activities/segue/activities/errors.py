"""What an exception means to Temporal: it cannot succeed, or not yet. The one place that decides.

An activity raises what it likes. `classify` turns it into the `ApplicationError` that Temporal's server acts on, by the
first of these that knows it:

    1. the classes its system declares `terminal` or `retryable`, the most specific first
    2. an `ApplicationError`, `Terminal` and `Retryable` among them: it says itself what it means
    3. httpx: 408, 409, 425, 429, 5xx and transport errors are retryable, `Retry-After` is honoured; other statuses and
       malformed requests are terminal
    4. pydantic validation errors: terminal, for the same input fails the same way
    5. anything else is retryable, as in plain Temporal: a fixed worker may be deployed meanwhile

The errors of this module:

    ApplicationError                 (temporalio)
    ├── Terminal                     no further attempt
    │   ├── PayloadError             a value cannot be carried faithfully, or is too large
    │   └── Ambiguous                nobody knows whether an at-most-once step happened
    └── Retryable                    another attempt, after `after` if given
        └── NotDone                  an at-most-once step has not happened
"""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import httpx
import pydantic
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError

from segue.activities.system import System

__all__ = [
    "AMBIGUOUS",
    "HTTP_STATUS",
    "HTTP_TERMINAL",
    "MAXIMUM_RETRY_AFTER",
    "NOT_DONE",
    "PAYLOAD",
    "VALIDATION",
    "Ambiguous",
    "NotDone",
    "PayloadError",
    "Retryable",
    "Terminal",
    "classify",
    "declares_terminal",
    "describe",
    "leaves",
    "message_of",
    "retry_after",
]

# Types of the errors that Segue makes, as `ApplicationError.type`, histories and screens show them.
HTTP_STATUS: Final = "HTTPStatusError"
PAYLOAD: Final = "PayloadError"
VALIDATION: Final = "ValidationError"
AMBIGUOUS: Final = "Ambiguous"
NOT_DONE: Final = "NotDone"

MAXIMUM_RETRY_AFTER: Final = timedelta(minutes=15)
"""Longest `Retry-After` that is honoured; a system that asks for more is asked again after this."""

_RETRYABLE_STATUSES: Final = frozenset({408, 409, 425, 429})

# httpx raises these for requests that are wrong in themselves. Everything else under httpx.TransportError, such as
# connect and read timeouts, resets and half-received responses, may succeed on the next attempt.
HTTP_TERMINAL: Final[tuple[type[Exception], ...]] = (
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.TooManyRedirects,
    httpx.DecodingError,
    httpx.CookieConflict,
)

_MAXIMUM_DETAIL_ERRORS: Final = 10


class Terminal(ApplicationError):
    """An error after which no further attempt can succeed. Its type is the name of its class.

    Attributes:
        details: Further values, carried to the workflow.
    """

    def __init__(self, message: str, *details: Any, type: str | None = None) -> None:
        super().__init__(message, *details, type=type or self.__class__.__name__, non_retryable=True)


class Retryable(ApplicationError):
    """An error that another attempt may get past. Its type is the name of its class.

    Attributes:
        after: Wait before the next attempt, in place of the policy's backoff; None keeps the backoff.
        details: Further values, carried to the workflow.
    """

    def __init__(self, message: str, *details: Any, after: timedelta | None = None, type: str | None = None) -> None:
        super().__init__(
            message,
            *details,
            type=type or self.__class__.__name__,
            next_retry_delay=after,
            # A system that says when to come back is doing its job: no alarm in logs and metrics.
            category=ApplicationErrorCategory.BENIGN if after is not None else ApplicationErrorCategory.UNSPECIFIED,
        )
        self.after = after


class Ambiguous(Terminal):
    """Nobody knows whether a step took effect. An at-most-once step is then reconciled, or parks.

    Any error of such a step that does not say otherwise is taken for this one; raise it to say so yourself.
    """

    def __init__(self, message: str, *details: Any) -> None:
        super().__init__(message, *details, type=AMBIGUOUS)


class NotDone(Retryable):
    """A step has not taken effect, so that another attempt does no harm.

    An at-most-once step that raises it, or any `Retryable`, is tried again; a reconcile activity may raise it in place
    of returning None.
    """

    def __init__(self, message: str, *details: Any, after: timedelta | None = None) -> None:
        super().__init__(message, *details, after=after, type=NOT_DONE)


class PayloadError(Terminal):
    """A value cannot be carried faithfully to the other side, or is too large.

    Attributes:
        path: Where in the value, such as `card.number`; empty for the value as a whole.
        position: Which argument of a call holds the value, from 0.
    """

    position: int = 0

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message, type=PAYLOAD)
        self.path = path


def classify(error: BaseException, system: System | None = None) -> BaseException:
    """Return what to raise in place of an activity's error, so that Temporal's server does the right thing.

    Cancellation and Temporal's own control errors come back as they are. The result keeps the error's message,
    traceback and cause, and takes its class name as `type`, as plain Temporal does.
    """
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
        return error
    if _is_group(error) and not _declares_group(error, system):
        return _group(error, system)
    declared = _declared(error, system)
    if isinstance(error, ApplicationError):
        if declared is None or declared == error.non_retryable:
            return error
        return _rewritten(error, str(error.message), error.details, type=error.type, terminal=declared)
    if isinstance(error, FailureError) or not isinstance(error, Exception):
        return error
    kind = type(error).__name__
    if isinstance(error, httpx.HTTPStatusError):
        return _http_status(error, declared)
    if declared is not None:
        return _rewritten(error, str(error), (), type=kind, terminal=declared)
    if isinstance(error, HTTP_TERMINAL):
        return _rewritten(error, str(error), (), type=kind, terminal=True)
    if isinstance(error, pydantic.ValidationError):
        return _rewritten(error, describe(error), (), type=VALIDATION, terminal=True)
    return _rewritten(error, str(error) or kind, (), type=kind, terminal=False)


def message_of(error: BaseException) -> str:
    """Return what an error says, without what a history must not hold: rejected input, and a URL's credentials."""
    if isinstance(error, pydantic.ValidationError):
        return describe(error)
    if isinstance(error, httpx.HTTPStatusError):
        return _answer(error)
    return str(error)


def retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """Return how long a `Retry-After` header asks to wait, at most `MAXIMUM_RETRY_AFTER`; None if it says nothing.

    Both forms of RFC 9110 10.2.3 are read: seconds, and an HTTP date.
    """
    if value is None or not (text := value.strip()):
        return None
    if text.isascii() and text.isdigit():
        # More digits than this is more than the maximum, and may be more than a timedelta holds.
        return min(timedelta(seconds=int(text.lstrip("0")[:9] or 0)), MAXIMUM_RETRY_AFTER)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(date - (now or datetime.now(UTC)), timedelta(0)), MAXIMUM_RETRY_AFTER)


def declares_terminal(error: BaseException, system: System | None) -> bool:
    """Return whether a system declares that no other attempt can succeed after an error."""
    return _declared(error, system) is True


def _declared(error: BaseException, system: System | None) -> bool | None:
    """Return True if the system declares the error terminal, False if retryable, None if neither."""
    if system is None:
        return None

    def distance(classes: Iterable[type[BaseException]]) -> int | None:
        mro = type(error).__mro__
        return min((mro.index(cls) for cls in classes if cls in mro), default=None)

    terminal, retryable = distance(system.terminal), distance(system.retryable)
    if terminal is None or retryable is None:
        return True if terminal is not None else (False if retryable is not None else None)
    return terminal < retryable


def _http_status(error: httpx.HTTPStatusError, declared: bool | None) -> ApplicationError:
    response = error.response
    retryable = response.status_code in _RETRYABLE_STATUSES or response.status_code >= 500
    terminal = not retryable if declared is None else declared
    return _rewritten(
        error,
        _answer(error),
        ({"status": response.status_code, "method": error.request.method, "url": _bare(error.request.url)},),
        type=HTTP_STATUS,
        terminal=terminal,
        after=None if terminal else retry_after(response.headers.get("retry-after")),
    )


def _answer(error: httpx.HTTPStatusError) -> str:
    response = error.response
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    return f"{error.request.method} {_bare(error.request.url)} answered {response.status_code}{reason}"


def _bare(url: httpx.URL) -> str:
    """Return a URL without its query and its user part, which may hold credentials."""
    return str(url.copy_with(query=None, fragment=None, username=None, password=None))


def _is_group(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup)


def _declares_group(error: BaseException, system: System | None) -> bool:
    """Return whether a system declares a group's own class, and so decides for all that it holds."""
    declared = (*system.terminal, *system.retryable) if system is not None else ()
    return any(issubclass(cls, BaseExceptionGroup) and isinstance(error, cls) for cls in declared)


def _group(error: BaseException, system: System | None) -> BaseException:
    """Return what the errors of a task group mean together: terminal if one of them is, else the longest wait.

    Cancellation beside an error is taken for its consequence, as a task group does; alone it stays cancellation.
    """
    meant = [classify(leaf, system) for leaf in leaves(error)]
    for leaf in meant:
        if not isinstance(leaf, (Exception, asyncio.CancelledError)):
            return leaf  # the process is to end
    known = [leaf for leaf in meant if isinstance(leaf, ApplicationError)]
    if not known:
        return meant[0]
    telling = min(known, key=lambda leaf: (not leaf.non_retryable, -(leaf.next_retry_delay or timedelta(0))))
    others = f" (and {len(known) - 1} more)" if len(known) > 1 else ""
    rewritten = ApplicationError(
        f"{telling.message}{others}",
        *telling.details,
        type=telling.type,
        non_retryable=telling.non_retryable,
        next_retry_delay=telling.next_retry_delay,
        category=telling.category,
    ).with_traceback(telling.__traceback__)
    rewritten.__cause__ = telling.__cause__
    return rewritten


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that a group holds, at any depth; the error itself if it is no group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from leaves(inner)
    else:
        yield error


def describe(error: pydantic.ValidationError) -> str:
    """Say which fields are wrong and how, without repeating the input, which may be secret or large."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [
        f"{'.'.join(str(part) for part in problem['loc']) or '(value)'}: {problem['msg']}"
        for problem in problems[:_MAXIMUM_DETAIL_ERRORS]
    ]
    if len(problems) > _MAXIMUM_DETAIL_ERRORS:
        shown.append(f"and {len(problems) - _MAXIMUM_DETAIL_ERRORS} more")
    return f"{error.title} is not valid: " + "; ".join(shown)


def _rewritten(
    error: Exception,
    message: str,
    details: Iterable[Any],
    *,
    type: str | None,
    terminal: bool,
    after: timedelta | None = None,
) -> ApplicationError:
    """Return an ApplicationError in the place of another error: same traceback, same cause, no extra link between."""
    rewritten = ApplicationError(
        message,
        *details,
        type=type,
        non_retryable=terminal,
        next_retry_delay=after,
        category=ApplicationErrorCategory.BENIGN if after is not None else ApplicationErrorCategory.UNSPECIFIED,
    ).with_traceback(error.__traceback__)
    rewritten.__cause__ = error.__cause__
    rewritten.__context__ = error.__context__
    rewritten.__suppress_context__ = error.__suppress_context__
    return rewritten
