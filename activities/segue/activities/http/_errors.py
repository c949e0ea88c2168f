"""What can go wrong with an exchange beyond what httpx has a name for.

httpx.HTTPError
├── httpx.HTTPStatusError        answered with 400 or more; its body is there to read, up to 64 KiB
└── httpx.TransportError         not answered, or not to the end
    └── RequestTimeout           not within the time that the request, or its activity, had
Terminal
├── RequestRefused               this request must not be sent
├── RedirectRefused              nor sent on to where the answer points
├── ResponseTooLarge
└── UnexpectedJson               JSON, but not of the type that was asked for
Retryable
├── NotJson                      what a proxy says while the system behind it restarts
└── ChecksumMismatch             a download arrived otherwise than was expected
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import httpx

from segue.activities.errors import Retryable, Terminal

__all__ = [
    "ChecksumMismatch",
    "NotJson",
    "RedirectRefused",
    "RequestRefused",
    "RequestTimeout",
    "ResponseTooLarge",
    "UnexpectedJson",
    "named",
    "said",
    "shown",
]


class RequestTimeout(httpx.TimeoutException):
    """The exchange was not over within the time it had."""


class RequestRefused(Terminal):
    """The request must not be sent as it is."""


class RedirectRefused(Terminal):
    """A redirect leads to where the request must not be sent."""


class ResponseTooLarge(Terminal):
    """The answer is larger than the request allows."""


class UnexpectedJson(Terminal):
    """The answer is JSON of another shape than the caller's type."""


class NotJson(Retryable):
    """The answer should be JSON and is something else."""


class ChecksumMismatch(Retryable):
    """A download is not what was expected, so it was thrown away."""


# httpx leaves the message of these empty.
_REASONS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection within the connect timeout",
    httpx.ReadTimeout: "the answer stopped coming",
    httpx.WriteTimeout: "the request was no longer taken",
    httpx.ConnectError: "no connection",
    httpx.ReadError: "the connection was lost while the answer was awaited",
    httpx.WriteError: "the connection was lost while the request was sent",
    httpx.CloseError: "the connection could not be closed",
}


def shown(url: httpx.URL) -> str:
    """Return a URL as errors and traces show it: its query, fragment and user part may hold credentials."""
    return str(url.copy_with(query=None, fragment=None, username=None, password=None))


def said(response: httpx.Response) -> str:
    """Return who answered what, the beginning of an error's message."""
    request = response.request
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    return f"{request.method} {shown(request.url)} answered {response.status_code}{reason}"


@contextlib.contextmanager
def named(method: str, url: httpx.URL) -> Generator[None, None, None]:
    """Say in httpx's errors which request failed; as they come, many do not even say how."""
    try:
        yield
    except httpx.RequestError as error:
        start = f"{method} {shown(url)}: "
        reason = str(error)
        if not reason.startswith(start):
            error.args = (start + (reason or _REASONS.get(type(error)) or type(error).__name__),)
        raise
