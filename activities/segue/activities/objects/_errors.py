"""What a store's error means: the object is at fault, which no further attempt changes, or the store is busy.

Terminal
├── InvalidObjectUrl       the URL or key names no object (also a ValueError)
├── ObjectNotFound         no such object, or no such bucket
├── ObjectExists           create-only, and other content is already there
├── ObjectChanged          the content is not the one that was named by its SHA-256
├── ObjectTooLarge         more bytes than the reader takes
└── ObjectRefused          permission, malformed request, or what this store cannot do
Retryable
└── ObjectsUnavailable     timeout, connection error, throttling, 5xx, half an answer, a full disk
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Generator
from typing import Final

from segue.activities.errors import Retryable, Terminal

__all__ = [
    "STORE_ERRORS",
    "ObjectChanged",
    "ObjectExists",
    "ObjectNotFound",
    "ObjectRefused",
    "ObjectTooLarge",
    "ObjectsUnavailable",
    "translated",
]


class _ObjectError(Terminal):
    """An error about one object.

    Attributes:
        url: The object's URL.
    """

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class ObjectNotFound(_ObjectError):
    """There is no such object, or no such bucket."""


class ObjectExists(_ObjectError):
    """A create-only write found other content under the key."""


class ObjectChanged(_ObjectError):
    """An object's content is not the one that its reference names."""


class ObjectTooLarge(_ObjectError):
    """An object is larger than its reader takes."""


class ObjectRefused(_ObjectError):
    """The store refuses the request, and will refuse it again: permission, a malformed request, a folder in the way."""


class ObjectsUnavailable(Retryable):
    """The store cannot do it now.

    Attributes:
        url: The object's URL.
    """

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


STORE_ERRORS: Final[dict[str, type[ObjectNotFound | ObjectRefused | ObjectsUnavailable] | None]] = {
    "GenericError": None,  # decided by the HTTP status in its text, the only place that has it
    "NotFoundError": ObjectNotFound,
    "AlreadyExistsError": ObjectRefused,  # a create-only write handles its own; elsewhere it is a folder in the way
    "InvalidPathError": ObjectRefused,
    "JoinError": ObjectsUnavailable,
    "NotModifiedError": ObjectRefused,
    "NotSupportedError": ObjectRefused,
    "PermissionDeniedError": ObjectRefused,
    "PreconditionError": ObjectRefused,
    "UnauthenticatedError": ObjectRefused,
    # The worker's environment is at fault: it may be mended while the step is being retried.
    "UnknownConfigurationKeyError": ObjectsUnavailable,
}
"""What each of obstore's errors means, by its name, so that obstore need not be imported to know."""

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>|\"code\"\s*:\s*\"(\w{1,60})\"")
_MESSAGE = re.compile(r"<Message>([^<]{1,200})")
_RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})
# S3 answers 400 to a body that came too slowly; another attempt may be faster.
_RETRYABLE_CODES = frozenset({"RequestTimeout", "SlowDown", "RequestTimeTooSkewed", "InternalError"})
_TERMINAL_ERRNOS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
)
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_HTTP_KIND = re.compile(r"HttpError \{\s+kind: (\w+)")
_DETAIL = re.compile(r"\b(?:message|error): \"([^\"]*)\"")
# A signed URL carries its credential in the query.
_QUERY = re.compile(r"\?[^\s)>,]*")
_MAXIMUM_REASON = 300


@contextlib.contextmanager
def translated(action: str, url: str) -> Generator[None]:
    """Raise what the block's error means: one of this module's errors, which says what was done to which object.

    The store's own error is not kept as the cause: its text may hold a signed URL, and causes go into histories.
    """
    try:
        yield
    except (Terminal, Retryable):
        raise
    except FileNotFoundError as error:
        raise ObjectNotFound(_missing(action, url, error), url) from None
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _TERMINAL_ERRNOS:
            raise ObjectRefused(f"Cannot {action} object {url!r}: {reason}", url) from None
        raise ObjectsUnavailable(f"Cannot {action} object {url!r} now: {reason}", url) from None
    except NotImplementedError as error:
        raise ObjectRefused(f"Cannot {action} object {url!r}: {_reason(error)}", url) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "obstore":
            raise
        raise _translation(action, url, error) from None


def _translation(action: str, url: str, error: Exception) -> Exception:
    cls = STORE_ERRORS.get(type(error).__name__)
    if cls is None and (status := _STATUS.search(str(error))) and status[1] == "404":
        cls = ObjectNotFound  # obstore calls it generic where there is no object, as in a listing
    if cls is ObjectNotFound:
        return ObjectNotFound(_missing(action, url, error), url)
    if cls is None:
        cls = ObjectRefused if _is_terminal(str(error)) else ObjectsUnavailable
    now = " now" if cls is ObjectsUnavailable else ""
    return cls(f"Cannot {action} object {url!r}{now}: {_reason(error)}", url)


def _is_terminal(text: str) -> bool:
    if status := _STATUS.search(text):
        number = int(status[1])
        return 400 <= number < 500 and number not in _RETRYABLE_STATUSES and _code(text) not in _RETRYABLE_CODES
    if os_error := _OS_ERROR.search(text):
        return int(os_error[1]) in _TERMINAL_ERRNOS
    return False


def _code(text: str) -> str | None:
    """Return the store's own name of an error, such as AccessDenied."""
    match = _CODE.search(text)
    return (match[1] or match[2]) if match else None


def _missing(action: str, url: str, error: Exception) -> str:
    bucket = action == "list" or _code(str(error)) in ("NoSuchBucket", "ContainerNotFound")
    return f"Cannot {action} object {url!r}: there is no such {'bucket' if bucket else 'object'}"


def _reason(error: Exception) -> str:
    """Return one line of a store's error that holds no signed URL: its status and name if it has any."""
    text = str(error)
    if status := _STATUS.search(text):
        words = [status[1], _code(text)]
        if message := _MESSAGE.search(text):
            words.append(f"({message[1]})")
        return f"the store answered {' '.join(filter(None, words))}"
    line, _, debug = text.partition("\n")
    line = line.rpartition(" - ")[2]
    # The first line of a failed request says only that it failed; how is in the debug text below it.
    if how := [match[1] for pattern in (_HTTP_KIND, _DETAIL) if (match := pattern.search(debug))]:
        line = f"{line} ({': '.join(how)})"
    return _QUERY.sub("?...", line)[:_MAXIMUM_REASON]
