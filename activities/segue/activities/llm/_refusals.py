"""What a server's refusal of a request means, out of its status and of what it says in words and codes.

Providers agree on little more than an object named `error`. What is looked at is its `code`, `type` and `param`, and,
where these say nothing, the words of its message. The message itself is repeated only if it holds nothing of the prompt
and the server is not refusing the key: it would end in a history.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
import pydantic_core
from temporalio.exceptions import ApplicationError

from segue.activities.errors import classify
from segue.activities.http._errors import said
from segue.activities.llm._errors import (
    ContextTooLong,
    Filtered,
    ModelError,
    ModelNotFound,
    ModelUnavailable,
    QuotaExceeded,
    RequestRejected,
    SchemaUnsupported,
)
from segue.activities.llm._json import fields, items
from segue.activities.llm._models import Model

__all__ = ["of_event", "of_status", "unavailable"]

_CONTEXT: Final = re.compile(
    r"context[ _-]?(length|size|window)|maximum context|too many tokens|prompt is too long|exceed\w* .{0,40}context",
    re.IGNORECASE,
)
_SCHEMA: Final = re.compile(
    r"response_format|json_schema|json schema|structured output|json_object|grammar", re.IGNORECASE
)
_FILTER: Final = re.compile(r"content_filter|content_policy|responsibleai|safety|moderation", re.IGNORECASE)
_QUOTA: Final = re.compile(r"insufficient_quota|billing|credit balance|payment|quota_exceeded", re.IGNORECASE)
_MODEL: Final = re.compile(
    r"model_not_found|unknown_model|model .{0,120}(not found|does not exist|unknown)|no such model", re.IGNORECASE
)
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,80}")
_SHARED: Final = 24
_LONGEST: Final = 300


def of_status(error: httpx.HTTPStatusError, model: Model, prompt: str, *, schema: bool) -> Exception:
    """Return the error that an answer of 400 or more means.

    Args:
        error: The answer, its body read.
        model: Which model was asked.
        prompt: All that was sent, of which nothing may be repeated.
        schema: Whether the answer was asked for as JSON.
    """
    status = error.response.status_code
    told = _told(error.response)
    code, words = _code(told), str(told.get("message") or "")
    start = said(error.response)
    meant = _meant(start, code, words, model, schema, prompt)
    if status == 429 and isinstance(meant, QuotaExceeded):
        return meant
    classified = classify(error)
    if isinstance(classified, ApplicationError) and not classified.non_retryable:
        after = classified.next_retry_delay
        return ModelUnavailable(_named(start, code, model), engine=model.engine, after=after)
    if status in (401, 403):
        return RequestRejected(
            f"{_named(start, code, model)}: the key is not accepted. The worker takes it from {_key(model)}",
            status=status,
            code=code,
            engine=model.engine,
        )
    if meant is not None:
        return meant
    if status == 404:
        return ModelNotFound(
            f"{_named(start, code, model)}: there is no such model, or no such address: check the model's name and "
            "base_url",
            engine=model.engine,
        )
    return RequestRejected(
        _named(start, code, model) + _repeated(words, prompt), status=status, code=code, engine=model.engine
    )


def of_event(told: dict[str, Any], where: str, model: Model, prompt: str, *, schema: bool) -> Exception:
    """Return the error that an `error` within a streamed answer means."""
    code, words = _code(told), str(told.get("message") or "")
    meant = _meant(where, code, words, model, schema, prompt)
    if meant is not None:
        return meant
    status = told.get("code")
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 425, 429):
        return RequestRejected(
            _named(where, code, model) + _repeated(words, prompt), status=status, code=code, engine=model.engine
        )
    return ModelUnavailable(_named(where, code, model), engine=model.engine)


def unavailable(error: httpx.TransportError, model: Model) -> Exception:
    """Return the error that a failed exchange means: not now, or, where it is wrong in itself, what it was."""
    classified = classify(error)
    if isinstance(classified, ApplicationError) and not classified.non_retryable:
        return ModelUnavailable(f"{error} (model {model.name!r})", engine=model.engine)
    return error


def _meant(start: str, code: str, words: str, model: Model, schema: bool, prompt: str) -> ModelError | None:
    text = f"{code} {words}"
    named = _named(start, code, model)
    if _QUOTA.search(text):
        return QuotaExceeded(f"{named}: the account's quota is used up", engine=model.engine)
    if _FILTER.search(code):
        return Filtered(f"{named}: the prompt was not passed on to the model", engine=model.engine)
    if _CONTEXT.search(text):
        return ContextTooLong(
            f"{named}: the prompt is longer than the model takes{_repeated(words, prompt)}", engine=model.engine
        )
    if _MODEL.search(text):
        return ModelNotFound(f"{named}: the server has no such model", engine=model.engine)
    if schema and _SCHEMA.search(f"{text}"):
        return SchemaUnsupported(f"{named}: {_repeated(words, prompt).removeprefix(': ')}", engine=model.engine)
    return None


def _told(response: httpx.Response) -> dict[str, Any]:
    try:
        body: Any = pydantic_core.from_json(response.content)
    except ValueError:
        return {}
    told = fields((items(body) or [body])[0])
    error = told.get("error", told)
    return {"message": error} if isinstance(error, str) else fields(error)


def _code(told: dict[str, Any]) -> str:
    """Return the server's own names for what is wrong: `context_length_exceeded, messages`."""
    parts = [str(told[name]) for name in ("code", "type", "param") if told.get(name) not in (None, "")]
    return ", ".join(dict.fromkeys(part for part in parts if _CODE.fullmatch(part)))


def _named(start: str, code: str, model: Model) -> str:
    return f"{start} ({code}) for model {model.name!r}" if code else f"{start} for model {model.name!r}"


def _repeated(words: str, prompt: str) -> str:
    """Return a server's words for the end of a message, if they hold nothing of the prompt."""
    words = " ".join(words.split())[:_LONGEST]
    windows = range(max(len(words) - _SHARED + 1, 0))
    if not words or any(words[start : start + _SHARED] in prompt for start in windows):
        return ""
    return f": {words}"


def _key(model: Model) -> str:
    if model.key is not None:
        return repr(model.key.ref)
    return "its headers" if model.headers else "nowhere: the model has no key="
