"""A connector: how a worker talks to one HTTP system, from an activity's own code or straight from a workflow.

    payments = System("payments", capacity=Capacity(per_second=50), terminal=(CardDeclined,))
    api = HttpConnector(payments, base_url="https://api.payments.example/v1",
                        headers={"Authorization": SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ")})

    @payments.activity
    async def charge(order: Order) -> Receipt:
        return await api.post_json("/charges", order, response=Receipt)

    # or in a workflow, without an activity of one's own
    answer = await workflow.execute_activity(api.request, HttpRequest(method="DELETE", url="/charges/17"))

It adds the connector's headers, resolves secrets, and gives the request its key and its time; `_exchange` sends it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload

import httpx
import pydantic
import pydantic_core
from pydantic import SecretStr
from temporalio import activity

from segue.activities import faithful
from segue.activities.http import _body as body
from segue.activities.http import _pool as pool
from segue.activities.http._deadline import in_time
from segue.activities.http._download import fetch
from segue.activities.http._errors import (
    NotJson,
    RequestRefused,
    ResponseTooLarge,
    UnexpectedJson,
    said,
    shown,
)
from segue.activities.http._exchange import Outgoing, answered, origin
from segue.activities.http._keys import with_key
from segue.activities.http._requests import (
    Download,
    DownloadRequest,
    HeaderValue,
    HttpRequest,
    HttpResponse,
    QueryValue,
    legal_header_value,
    protected,
)
from segue.activities.secrets import SecretError
from segue.activities.system import System

__all__ = ["HttpConnector", "Options"]

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What may be said of a JSON request beside its URL and body: fields of `HttpRequest`."""

    headers: Mapping[str, HeaderValue]
    params: Mapping[str, QueryValue]
    timeout: timedelta | None
    maximum_redirects: int
    maximum_bytes: int
    accept_statuses: frozenset[int]
    idempotency_key: bool | str


_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_IDLE_TIMEOUT: Final = timedelta(seconds=60)
_MASK: Final = "**********"


class HttpConnector:
    """Talks to one HTTP system; without a `base_url` to any.

    Connections are pooled for the whole process; a connector holds none, so it may be declared at import.

    Args:
        system: Given one, the connector's `request`, `request_json` and `download` are activities of it.
        base_url: What relative URLs follow. Absolute ones must then have the same origin, so that the connector's
            credentials go nowhere else.
        headers: Sent with every request that does not set them itself.
        name: Start of the activities' registered names, by default the system's name: `payments.request`.
        downloads: System of `download`, whose attempts may need more time than a request; by default the same.
        ssl_context: TLS settings of this system, such as a client certificate; by default the environment's.

    Attributes:
        request: Activity and function, `HttpRequest -> HttpResponse`.
        request_json: Activity and function, `HttpRequest ->` the answer's JSON; None if it has no body.
        download: Activity and function, `DownloadRequest -> Download`.
        activities: The three of them, for a worker, if there is a system; otherwise empty.

    Raises:
        ValueError: The base URL or a header cannot be used.
    """

    def __init__(
        self,
        system: System | None = None,
        *,
        base_url: str | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
        name: str | None = None,
        downloads: System | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.system = system
        self.base_url = base_url
        self._headers = protected(headers or {})
        self._ssl_context = ssl_context
        # A step that does something else beside has a progress of its own, which a download must not overwrite.
        self._download_name = f"{name or (system.name if system else '')}.download"
        if base_url is not None:
            parsed = httpx.URL(base_url)
            if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
                raise ValueError(
                    "base_url must be http:// or https:// with a host, and no user name, password or query"
                )

        async def request(request: HttpRequest) -> HttpResponse:
            """Return the answer to a request."""
            started = time.monotonic()
            return HttpResponse.received(await self._settled(request), _since(started))

        async def request_json(request: HttpRequest) -> Any:
            """Return the answer's JSON."""
            return await self.send_json(request)

        async def download(request: DownloadRequest) -> Download:
            """Return the object that a URL's content was written to."""
            return await self._download(request)

        self.request: Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]] = request
        self.request_json: Callable[[HttpRequest], Coroutine[Any, Any, Any]] = request_json
        self.download: Callable[[DownloadRequest], Coroutine[Any, Any, Download]] = download
        self.activities: list[Callable[..., Any]] = []
        if system is not None:
            prefix = name or system.name
            self.request = system.activity(name=f"{prefix}.request")(self.request)
            self.request_json = system.activity(name=f"{prefix}.json")(self.request_json)
            self.download = (downloads or system).activity(name=self._download_name)(self.download)
            self.activities = [self.request, self.request_json, self.download]

    def __repr__(self) -> str:
        return f"HttpConnector({self.system!r}, base_url={self.base_url!r})"

    @overload
    async def send_json(self, request: HttpRequest) -> Any: ...

    @overload
    async def send_json(self, request: HttpRequest, *, response: type[T]) -> T: ...

    async def send_json(self, request: HttpRequest, *, response: Any = None) -> Any:
        """Return the answer's JSON as the given type; without a type as it is, None if the answer has no body.

        Raises:
            httpx.HTTPStatusError: The answer is an error. It is read, so that `error.response.json()` explains it.
            httpx.TransportError: No answer, or none to the end, or not in time (`RequestTimeout`).
            NotJson: The answer is not JSON.
            UnexpectedJson: It is JSON of another shape.
            RequestRefused, RedirectRefused, ResponseTooLarge, SecretError: As their docstrings say.
        """
        if not any(name.lower() == "accept" for name in request.headers):
            request = request.model_copy(update={"headers": {**request.headers, "accept": "application/json"}})
        answer = await self._settled(request)
        if response is None and not answer.content:
            return None
        try:
            if response is None:
                return pydantic_core.from_json(answer.content, allow_inf_nan=False)
            return faithful.adapter(response).validate_json(answer.content)
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            if problems[0]["type"] == "json_invalid":
                raise _not_json(answer) from None
            wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or '(value)'}: {one['msg']}" for one in problems[:5])
            raise UnexpectedJson(f"{said(answer)} with JSON that is not a valid {error.title}: {wrong}") from None
        except ValueError:
            raise _not_json(answer) from None

    @overload
    async def get_json(self, url: str, **options: Unpack[Options]) -> Any: ...

    @overload
    async def get_json(self, url: str, *, response: type[T], **options: Unpack[Options]) -> T: ...

    async def get_json(self, url: str, *, response: Any = None, **options: Unpack[Options]) -> Any:
        """Return the JSON at a URL, as the given type. Options are fields of `HttpRequest`. Raises as `send_json`."""
        return await self.send_json(HttpRequest(method="GET", url=url, **options), response=response)

    @overload
    async def post_json(self, url: str, body: Any, **options: Unpack[Options]) -> Any: ...

    @overload
    async def post_json(self, url: str, body: Any, *, response: type[T], **options: Unpack[Options]) -> T: ...

    async def post_json(self, url: str, body: Any, *, response: Any = None, **options: Unpack[Options]) -> Any:
        """Post a value as JSON and return the answer's JSON, as the given type. Raises as `send_json`.

        The value may be a model, a dataclass, or anything else that has a JSON form. A step that posts several
        different things to one system gives each its own key: `idempotency_key=idempotency_key("invoice")`.
        """
        return await self.send_json(HttpRequest(method="POST", url=url, json_body=body, **options), response=response)

    @overload
    async def put_json(self, url: str, body: Any, **options: Unpack[Options]) -> Any: ...

    @overload
    async def put_json(self, url: str, body: Any, *, response: type[T], **options: Unpack[Options]) -> T: ...

    async def put_json(self, url: str, body: Any, *, response: Any = None, **options: Unpack[Options]) -> Any:
        """Put a value as JSON and return the answer's JSON, as the given type. As `post_json` otherwise."""
        return await self.send_json(HttpRequest(method="PUT", url=url, json_body=body, **options), response=response)

    async def _settled(self, request: HttpRequest) -> httpx.Response:
        """Return the answer, read and decoded; raise if it is an error."""
        content_type, content = request.body()
        outgoing = self._outgoing(request.method, request, content=content, content_type=content_type)
        outgoing = with_key(outgoing, request.idempotency_key)
        client = pool.client(self._ssl_context)
        async with in_time(outgoing, request.timeout), answered(client, outgoing) as response:
            is_error = response.status_code >= 400 and response.status_code not in request.accept_statuses
            if is_error:
                content = await body.excerpt(response)
            else:
                try:
                    content = await body.read(response, request.maximum_bytes)
                except body.TooLarge:
                    raise ResponseTooLarge(
                        f"{said(response)} with more than {request.maximum_bytes:,} bytes: raise maximum_bytes, "
                        "or download it, which keeps it out of the history"
                    ) from None
        settled = body.settled(response, content)
        if is_error:
            raise httpx.HTTPStatusError(said(settled), request=settled.request, response=settled)
        return settled

    async def _download(self, request: DownloadRequest) -> Download:
        outgoing = self._outgoing("GET", request)
        started = time.monotonic()
        async with in_time(outgoing, request.timeout):
            resumable = activity.in_activity() and activity.info().activity_type == self._download_name
            download = await fetch(pool.client(self._ssl_context), outgoing, request, resumable=resumable)
        return download.model_copy(update={"elapsed": _since(started)})

    def _outgoing(
        self,
        method: str,
        request: HttpRequest | DownloadRequest,
        content: bytes | None = None,
        content_type: str | None = None,
    ) -> Outgoing:
        headers = httpx.Headers({"content-type": content_type} if content_type else {})
        secret: set[str] = set()
        for name, value in {**_lower(self._headers), **_lower(request.headers)}.items():
            headers[name] = _resolved(name, value)
            if not isinstance(value, str):
                secret.add(name)
        url = self._url(request.url)
        return Outgoing(
            method=method,
            url=url.copy_merge_params(request.params) if request.params else url,
            headers=headers,
            content=content,
            secret=frozenset(secret),
            maximum_redirects=request.maximum_redirects,
            timeout=httpx.Timeout(
                None,
                connect=_CONNECT_TIMEOUT.total_seconds(),
                # A download may take hours, but not in silence.
                read=_IDLE_TIMEOUT.total_seconds() if isinstance(request, DownloadRequest) else None,
            ),
        )

    def _url(self, url: str) -> httpx.URL:
        parsed = httpx.URL(url)
        if self.base_url is None:
            if not parsed.host:
                raise RequestRefused(f"url {shown(parsed)!r} is relative, and the connector has no base_url")
            return parsed
        if not parsed.scheme and not parsed.host:
            return httpx.URL(f"{self.base_url.rstrip('/')}/{url.lstrip('/')}" if url else self.base_url)
        if origin(parsed) != origin(httpx.URL(self.base_url)):
            raise RequestRefused(
                f"url {shown(parsed)!r} has another origin than the connector's base_url {self.base_url!r}: "
                "use a connector of that system"
            )
        return parsed


def _lower(headers: Mapping[str, HeaderValue]) -> dict[str, HeaderValue]:
    return {name.lower(): value for name, value in headers.items()}


def _resolved(name: str, value: HeaderValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, SecretStr):
        literal = value.get_secret_value()
        if literal == _MASK:
            raise RequestRefused(f"header {name!r} was a literal credential and arrived as asterisks: give a SecretRef")
        return literal
    secret = value.resolve()
    if not legal_header_value(secret):
        raise SecretError(value.ref, f"holds characters that the header {name!r} cannot carry")
    return secret


def _not_json(response: httpx.Response) -> NotJson:
    content_type = response.headers.get("content-type", "").split(";")[0].strip()
    start = response.content[:80].decode("utf-8", "replace")
    return NotJson(f"{said(response)} with {content_type or 'a body'} that is not JSON: {start!r}")


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
