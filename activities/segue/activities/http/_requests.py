"""What is asked of an HTTP system and what comes back: plain values that travel as activity arguments and results.

    HttpRequest(method="POST", url="https://api.example/charges", json_body=order,
                headers={"Authorization": SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ")})

A credential given as a literal stays in the process: it works in an activity's own code, and Segue's converter refuses
to put it into a history.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, cast

import httpx
import pydantic_core
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from segue.activities import faithful
from segue.activities.objects import ObjectRef, ObjectUrl
from segue.activities.secrets import SecretRef

__all__ = [
    "MAXIMUM_BYTES",
    "MAXIMUM_DOWNLOAD_BYTES",
    "UNSAFE",
    "Download",
    "DownloadRequest",
    "HeaderValue",
    "HttpRequest",
    "HttpResponse",
    "Method",
    "QueryValue",
    "jsonable",
    "legal_header_value",
    "protected",
]

MAXIMUM_BYTES: Final = 1024 * 1024
"""Default for the largest body of an answer. Temporal carries 2 MB, and bytes that are not text grow by a third."""

MAXIMUM_DOWNLOAD_BYTES: Final = 1024**3
"""Default for the largest download."""

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that have an effect, so that their requests carry an idempotency key."""

HeaderValue: TypeAlias = str | SecretRef | SecretStr
QueryValue: TypeAlias = str | int | float | bool | Sequence[str | int | float | bool]
Method: TypeAlias = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]

# Literal values of these headers are credentials. Others may be, which only their sender knows.
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"})
# httpx derives these from the body; a second value would let the two sides disagree on where a request ends.
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")

# The names of what holds a secret are shown; the values are not, in no error of pydantic's and no repr.
_MODEL = ConfigDict(
    frozen=True, extra="forbid", hide_input_in_errors=True, ser_json_bytes="base64", val_json_bytes="base64"
)


def legal_header_value(value: str) -> bool:
    """Whether a header can carry the text: visible ASCII, with blanks inside (RFC 9110 5.5, without obsolete forms)."""
    return _VALUE.fullmatch(value) is not None


def protected(headers: Mapping[str, HeaderValue]) -> dict[str, HeaderValue]:
    """Return headers in which literal credentials are `SecretStr`, which no repr shows and no history takes.

    Raises:
        ValueError: A name or value is not legal in HTTP, or is not the caller's to set.
    """
    result: dict[str, HeaderValue] = {}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _FRAMING:
            raise ValueError(f"header {name!r} is derived from the body and cannot be given")
        literal = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(literal, str) and not legal_header_value(literal):
            raise ValueError(f"header {name!r} has a value with characters that a header cannot carry")
        result[name] = SecretStr(value) if isinstance(value, str) and name.lower() in _CREDENTIALS else value
    return result


def jsonable(value: Any) -> Any:
    """Return a value as JSON values: models, dataclasses, dates and the like in their JSON form, by alias.

    Raises:
        PayloadError: Something in it would be altered silently, such as a `SecretStr` or a NaN.
    """
    faithful.check(value)
    return pydantic_core.to_jsonable_python(value, by_alias=True)


class _Addressed(BaseModel):
    """What requests and downloads have in common.

    Attributes:
        url: Absolute, or relative to the connector's `base_url`. Without user name and password.
        headers: Sent with the request. A `SecretRef` is resolved in the worker.
        params: Added to the query of the URL.
        timeout: Longest time for the whole exchange, redirects and body included, and never longer than what is
            left of the activity's attempt, which is the default (30 seconds outside of activities).
        maximum_redirects: How many redirects are followed; at 0 the redirect itself is the answer.
    """

    model_config = _MODEL

    url: Annotated[str, StringConstraints(min_length=1)]
    headers: Mapping[str, HeaderValue] = Field(default={}, repr=False)
    params: Mapping[str, QueryValue] = Field(default={}, repr=False)
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    maximum_redirects: Annotated[int, Field(ge=0)] = 5

    @field_validator("url")
    @classmethod
    def _without_credentials(cls, url: str) -> str:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError("is not a URL") from None
        if parsed.userinfo:
            raise ValueError("must not hold a user name or password: give the header Authorization, by SecretRef")
        if parsed.scheme and parsed.scheme not in ("http", "https"):
            raise ValueError(f"must begin with http:// or https://, not {parsed.scheme!r}")
        return url

    @field_validator("headers")
    @classmethod
    def _protected(cls, headers: Mapping[str, HeaderValue]) -> Mapping[str, HeaderValue]:
        return protected(headers)


class HttpRequest(_Addressed):
    """One HTTP request. At most one of `json_body`, `form`, `text` and `content` is its body.

    Attributes:
        method: The method; upper or lower case.
        json_body: Sent as JSON. Models, dataclasses and dates are taken too. None is no body.
        form: Sent as an HTML form does, `application/x-www-form-urlencoded`.
        text: Sent as UTF-8.
        content: Sent as it is.
        maximum_bytes: Largest body of the answer, decoded. What is larger is an error, and is for `download`.
        accept_statuses: Statuses of 400 and above that are an answer and not an error, such as 404.
        idempotency_key: The header `Idempotency-Key` of a method that has an effect: True for the step's own key,
            a text for another, False for none.
    """

    # `timeout`, `url` and so on come first in the base class; a request reads better with its method first.
    method: Annotated[Method, BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)] = "GET"
    json_body: Annotated[Any, BeforeValidator(jsonable)] = Field(default=None, repr=False)
    form: Mapping[str, str | Sequence[str]] | None = Field(default=None, repr=False)
    text: str | None = Field(default=None, repr=False)
    content: bytes | None = Field(default=None, repr=False)
    maximum_bytes: Annotated[int, Field(gt=0)] = MAXIMUM_BYTES
    accept_statuses: frozenset[int] = frozenset()
    idempotency_key: bool | Annotated[str, StringConstraints(min_length=1)] = True

    @field_validator("idempotency_key")
    @classmethod
    def _legal_key(cls, key: bool | str) -> bool | str:
        if isinstance(key, str) and not legal_header_value(key):
            raise ValueError("has characters that a header cannot carry")
        return key

    @model_validator(mode="after")
    def _one_body(self) -> HttpRequest:
        given = [name for name in ("json_body", "form", "text", "content") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a request has one body, but both {given[0]} and {given[1]} are given")
        return self

    def body(self) -> tuple[str | None, bytes | None]:
        """Return the default content type and the bytes of the body; None for no body."""
        if self.json_body is not None:
            return "application/json", pydantic_core.to_json(self.json_body)
        if self.form is not None:
            # httpx is the one that knows how a form is encoded.
            encoded = httpx.Request("POST", "http://form", data=cast("dict[str, Any]", dict(self.form)))
            return "application/x-www-form-urlencoded", encoded.content
        if self.text is not None:
            return "text/plain; charset=utf-8", self.text.encode()
        return (None if self.content is None else "application/octet-stream"), self.content


class HttpResponse(BaseModel):
    """The answer to a request.

    Attributes:
        status: Such as 200.
        headers: By lower-case name, several of one name joined by commas; without `set-cookie`, a credential.
        text: The body, if it is text in the encoding that the answer declares; empty otherwise.
        binary: The body, if it is not text.
        encoding: The encoding of `text`.
        elapsed: From the first byte sent to the last received, redirects included.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")
    _LEFT_OUT: ClassVar[frozenset[str]] = frozenset({"set-cookie", "set-cookie2"})

    status: int
    headers: Mapping[str, str] = {}
    text: str = ""
    binary: bytes = b""
    encoding: str = "utf-8"
    elapsed: timedelta = timedelta(0)

    @property
    def content(self) -> bytes:
        """The body as it was received, after decompression."""
        return self.binary or self.text.encode(self.encoding)

    @property
    def json_body(self) -> Any:
        """The body, parsed as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return pydantic_core.from_json(self.content)

    @classmethod
    def received(cls, response: httpx.Response, elapsed: timedelta) -> HttpResponse:
        """Return an httpx response, which has been read, as a value."""
        headers = {name: value for name, value in response.headers.items() if name not in cls._LEFT_OUT}
        content = response.content
        encoding = response.charset_encoding or "utf-8"
        text = None
        with contextlib.suppress(LookupError, UnicodeError):
            text = content.decode(encoding)
            # Only text from which the same bytes can be had back.
            text = text if text.encode(encoding) == content else None
        if text is None:
            return cls(status=response.status_code, headers=headers, binary=content, elapsed=elapsed)
        return cls(status=response.status_code, headers=headers, text=text, encoding=encoding, elapsed=elapsed)


class DownloadRequest(_Addressed):
    """Fetch what is at a URL into an object, however large, without passing through a history.

    Attributes:
        to: The object: a key under the worker's root, a path, or a URL such as `s3://bucket/key`. It is replaced.
        maximum_bytes: Largest download.
        sha256: Expected digest in hexadecimal; anything else that arrives is an error.
    """

    to: ObjectUrl
    maximum_bytes: Annotated[int, Field(gt=0)] = MAXIMUM_DOWNLOAD_BYTES
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)] | None = None


class Download(BaseModel):
    """What was downloaded, whole.

    Attributes:
        object: Where it is, with its size and SHA-256.
        etag: The system's name for this version of it; empty if it gives none.
        resumed_at_bytes: How much of it an earlier attempt had fetched; 0 if it was fetched at one go.
        elapsed: Time that this attempt took.
    """

    model_config = ConfigDict(frozen=True)

    object: ObjectRef
    etag: str = ""
    resumed_at_bytes: int = 0
    elapsed: timedelta = timedelta(0)
