"""Whether an at-most-once step that failed has taken effect: it has not, or nobody knows.

`certain` turns the error of such a step into one that says so, for the workflow acts upon it:

    NotDone             it has not, and another attempt may get past what was in the way
    terminal            it has not, and no other attempt can succeed
    Ambiguous           nobody knows

An error says that nothing happened where its author says so, with `Retryable` or `Terminal`, where its system declares
its class terminal, and where httpx has sent nothing or was refused: connection errors, 425, 429 and the other 4xx but
408 and 409. Whatever else there is may have come after the effect: a timeout while reading, a reset, 5xx, an answer
that cannot be read, a worker that shuts down, an error that nobody thought of.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final, Literal

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from segue.activities.errors import (
    AMBIGUOUS,
    NOT_DONE,
    PAYLOAD,
    Ambiguous,
    NotDone,
    Retryable,
    declares_terminal,
    leaves,
    message_of,
)
from segue.activities.system import System

__all__ = ["begun_in_time", "certain"]

Certainty = Literal["not yet", "not ever", "unknown"]

# Nothing of the request has left this process.
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNSENDABLE: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol)

# Answers that say that a request was put off, and those to a request that may have been acted upon all the same.
_PUT_OFF: Final = frozenset({425, 429})
_UNCLEAR: Final = frozenset({408, 409})


def begun_in_time() -> None:
    """Do nothing if this attempt begins while somebody still waits for it.

    A busy worker may come to an attempt when the server has given it up, and others have asked the system what became
    of it, and have been told that nothing happened. Then it must not happen any more.

    Raises:
        NotDone: Its time was over before it began.
    """
    info = activity.info()
    waited = datetime.now(UTC) - info.started_time
    if info.start_to_close_timeout and waited >= info.start_to_close_timeout:
        raise NotDone(
            f"Not begun: {waited.total_seconds():.1f} s after its start, and an attempt may take "
            f"{info.start_to_close_timeout.total_seconds():g} s (start_to_close_timeout). The worker is overloaded, or "
            "its clock differs from the server's"
        )


def certain(error: BaseException, classified: BaseException, system: System | None, *, returned: bool) -> BaseException:
    """Return what to raise in place of the error of an at-most-once step.

    Args:
        error: What was raised.
        classified: What `classify` makes of it.
        system: The step's system.
        returned: Whether the step's own code had returned, and what failed is its result.
    """
    if isinstance(error, (asyncio.CancelledError, CancelledError)):
        if _was_asked_for():
            return error
        return _ambiguous("its worker shut down", None)
    known: list[Certainty] = ["unknown"] if returned else [_certainty(leaf, system) for leaf in leaves(error)]
    if "unknown" in known or not isinstance(classified, ApplicationError):
        return classified if _has_type(classified, AMBIGUOUS) else _ambiguous(_told(classified), classified)
    if "not ever" in known or _has_type(classified, NOT_DONE):
        return classified
    not_done = NotDone(classified.message, *classified.details, after=classified.next_retry_delay)
    not_done.__cause__ = classified
    return not_done


def _certainty(error: BaseException, system: System | None) -> Certainty:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        if status in _PUT_OFF:
            return "not yet"
        return "not ever" if 400 <= status < 500 and status not in _UNCLEAR else "unknown"
    if isinstance(error, _UNSENT):
        return "not yet"
    if isinstance(error, _UNSENDABLE):
        return "not ever"
    if isinstance(error, Retryable):
        return "not yet"
    if isinstance(error, ApplicationError):
        return "not ever" if error.non_retryable and error.type not in (AMBIGUOUS, PAYLOAD) else "unknown"
    return "not ever" if declares_terminal(error, system) else "unknown"


def _was_asked_for() -> bool:
    """Whether the workflow asked for the cancellation of this activity."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested


def _has_type(error: BaseException, type: str) -> bool:
    return isinstance(error, ApplicationError) and error.type == type


def _told(error: BaseException) -> str:
    kind = error.type if isinstance(error, ApplicationError) else type(error).__name__
    message = error.message if isinstance(error, ApplicationError) else message_of(error)
    return message if not kind or message == kind else f"{kind}: {message}"


def _ambiguous(why: str, cause: BaseException | None) -> Ambiguous:
    ambiguous = Ambiguous(f"Nobody knows whether it happened: {why}")
    ambiguous.__cause__ = cause
    return ambiguous
