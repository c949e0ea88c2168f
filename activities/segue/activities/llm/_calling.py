"""One exchange with a model's server: the request sent, the answer taken piece by piece, and what failed told as ours.

A streamed answer is watched while it comes: silence longer than `Model.idle_timeout` ends the call, an answer that
breaks off is none, and how far it has come is reported as the step's progress.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any, Final

import httpx
import pydantic_core

from segue.activities.deadline import time_left
from segue.activities.http import _body as bodies
from segue.activities.http import _pool as pool
from segue.activities.http._deadline import in_time
from segue.activities.http._errors import said, shown
from segue.activities.http._exchange import Outgoing, answered
from segue.activities.http._requests import legal_header_value
from segue.activities.llm._errors import ModelUnavailable, RequestRejected
from segue.activities.llm._json import fields
from segue.activities.llm._models import Model
from segue.activities.llm._refusals import of_event, of_status, unavailable
from segue.activities.llm._stream import Assembly, events
from segue.activities.llm._wire import Reply, reply_of
from segue.activities.secrets import SecretError, SecretRef

__all__ = ["Sending", "post", "reply"]

MAXIMUM_BYTES: Final = 64 * 1024 * 1024
"""Largest answer, decoded: of the longest streamed answers there are, each token is an event of some 300 bytes."""

DEFAULT_TIMEOUT: Final = timedelta(minutes=10)
"""Limit outside of activities."""

_CONNECT_SECONDS: Final = 10


@dataclasses.dataclass(frozen=True)
class Sending:
    """A request that is to be sent to a model.

    Attributes:
        model: Which.
        path: Which address of its server.
        body: What is sent.
        key: The request's idempotency key; empty for none.
        texts: What of it may not be repeated in any error.
        schema: Whether the answer is asked for as JSON of a schema.
        timeout: Longest time; None for what the attempt has left.
    """

    model: Model
    path: str
    body: dict[str, Any] = dataclasses.field(repr=False)
    key: str = ""
    texts: str = dataclasses.field(default="", repr=False)
    schema: bool = False
    timeout: timedelta | None = None


async def post(sending: Sending) -> Any:
    """Return the JSON of an answer.

    Raises:
        ModelError, ModelUnavailable: As their docstrings say.
    """
    async with _open(sending) as response:
        return await _json(response, sending)


async def reply(sending: Sending, arrived: Callable[[int], None]) -> Reply:
    """Return a model's answer.

    Args:
        sending: The question.
        arrived: Is told how many characters there are of the answer, as they come.

    Raises:
        ModelError, ModelUnavailable: As their docstrings say.
    """
    async with _open(sending) as response:
        if "event-stream" in response.headers.get("content-type", ""):
            return await _streamed(response, sending, arrived)
        return _whole(await _json(response, sending), response, sending)


@contextlib.asynccontextmanager
async def _open(sending: Sending) -> AsyncGenerator[httpx.Response]:
    """Send a request and yield its answer, which is no error."""
    model = sending.model
    outgoing = _outgoing(sending)
    limit = sending.timeout or (None if time_left() is not None else DEFAULT_TIMEOUT)
    try:
        async with in_time(outgoing, limit), answered(pool.client(), outgoing) as response:
            if response.status_code >= 400:
                settled = bodies.settled(response, await bodies.excerpt(response))
                error = httpx.HTTPStatusError(said(settled), request=settled.request, response=settled)
                raise of_status(error, model, sending.texts, schema=sending.schema)
            yield response
    except httpx.TransportError as error:
        # The cause is not kept: what a transport says of a broken answer may hold a piece of it.
        raise unavailable(error, model) from None


def _outgoing(sending: Sending) -> Outgoing:
    model = sending.model
    headers = httpx.Headers({"content-type": "application/json", "accept": "application/json, text/event-stream"})
    secret: set[str] = set()
    for name, value in model.headers.items():
        headers[name] = _resolved(name, value)
        if not isinstance(value, str):
            secret.add(name.lower())
    if model.key is not None:
        value = _resolved("authorization", model.key)
        headers["authorization"] = value if model.key.prefix else f"Bearer {value}"
        secret.add("authorization")
    if sending.key:
        headers["idempotency-key"] = sending.key
    return Outgoing(
        method="POST",
        url=httpx.URL(model.base_url + sending.path),
        headers=headers,
        content=pydantic_core.to_json(sending.body),
        secret=frozenset(secret),
        maximum_redirects=2,
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS, read=model.idle_timeout.total_seconds()),
    )


def _resolved(name: str, value: str | SecretRef) -> str:
    if isinstance(value, str):
        return value
    secret = value.resolve()
    if not legal_header_value(secret):
        raise SecretError(value.ref, f"holds characters that the header {name!r} cannot carry")
    return secret


async def _streamed(response: httpx.Response, sending: Sending, arrived: Callable[[int], None]) -> Reply:
    assembly = Assembly()
    where = said(response)
    try:
        async with contextlib.aclosing(bodies.chunks(response, MAXIMUM_BYTES)) as chunks:
            async for data in events(chunks):
                try:
                    assembly.take(data)
                except ValueError:
                    raise _broken(sending, f"{where} with an event that is not JSON") from None
                if assembly.error is not None:
                    raise of_event(assembly.error, where, sending.model, sending.texts, schema=sending.schema)
                arrived(assembly.characters)
                if assembly.done:
                    break
    except bodies.TooLarge:
        raise _too_large(response, sending) from None
    except httpx.TransportError:
        # Once the server has said why the answer ended, all of it has come; only the count of its tokens may be lost.
        if not assembly.reply.finish_reason:
            raise
    whole = assembly.whole()
    if not assembly.done and not whole.finish_reason:
        raise _broken(sending, f"{where}, and the answer broke off after {assembly.characters:,} characters")
    return whole


def _whole(answer: Any, response: httpx.Response, sending: Sending) -> Reply:
    try:
        return reply_of(answer)
    except (ValueError, AttributeError, TypeError) as error:
        if told := fields(fields(answer).get("error")):
            raise of_event(told, said(response), sending.model, sending.texts, schema=sending.schema) from None
        reason = str(error) if type(error) is ValueError else "it has another shape"
        raise _broken(sending, f"{said(response)} with what is no answer of a model: {reason}") from None


async def _json(response: httpx.Response, sending: Sending) -> Any:
    try:
        content = await bodies.read(response, MAXIMUM_BYTES)
    except bodies.TooLarge:
        raise _too_large(response, sending) from None
    try:
        return pydantic_core.from_json(content, allow_inf_nan=False)
    except ValueError:
        raise _broken(sending, f"{said(response)} with a body that is not JSON") from None


def _broken(sending: Sending, problem: str) -> ModelUnavailable:
    return ModelUnavailable(f"{problem} (model {sending.model.name!r})", engine=sending.model.engine)


def _too_large(response: httpx.Response, sending: Sending) -> RequestRejected:
    return RequestRejected(
        f"POST {shown(response.request.url)} answered with more than {MAXIMUM_BYTES:,} bytes",
        engine=sending.model.engine,
    )
