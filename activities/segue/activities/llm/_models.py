"""A model: where it is served, what it is called there, what it costs, and what its server can do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from segue.activities.http._requests import protected
from segue.activities.secrets import SecretRef

__all__ = ["Model", "Price", "Structured"]

Structured = Literal["auto", "json_schema", "json_object", "prompt"]
"""How a server is asked for JSON of a schema. "auto" tries these in their order, and remembers which it took."""

_ENDPOINTS = ("/chat/completions", "/embeddings")


class Price(BaseModel):
    """What a model's tokens cost, in US dollars for a million of them.

    Attributes:
        input: For what the model reads.
        output: For what it writes.
        cached_input: For what it has read before, where the server tells it apart; by default as `input`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Model(BaseModel):
    """One model on one server that speaks the OpenAI-compatible protocol.

    Attributes:
        name: What the server calls it.
        base_url: Where its server is: `https://api.example/v1`, or without the `/v1`; a path of any other kind is taken
            as it is.
        key: Where the worker finds its key, sent as `Authorization: Bearer`; None for a server that wants none.
        headers: Further headers, such as a key under another name, by `SecretRef`.
        label: What results call it, in place of its name: the `engine` of a completion.
        provider: Who serves it, in OpenTelemetry's word (`gen_ai.provider.name`); by default the host's name.
        price: What its tokens cost; without it, no cost is told.
        context_tokens: Most tokens that a prompt and its answer may have together. A prompt that is certainly longer is
            refused before it is sent.
        structured: How it is asked for JSON of a schema.
        streams: Whether answers are streamed, so that a silent server is noticed, and progress is told.
        idle_timeout: Longest silence of the server, the wait for the first token included.
        requests_per_minute: Most requests a minute that one worker process sends it.
        tokens_per_minute: Most tokens a minute, read and written, that one worker process has it handle.
        answers_as: Further names by which the server may call the model in its answers; `*` for any.
        limit_field: What the server calls the bound on an answer's tokens.
        requires_usage: Whether an answer without token counts is an error; else they are estimated, and say so.
        options: Further fields of every request, as the server knows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1)]
    base_url: str
    key: SecretRef | None = None
    headers: Mapping[str, str | SecretRef] = Field(default={}, repr=False)
    label: str = ""
    provider: str = ""
    price: Price | None = None
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    structured: Structured = "auto"
    streams: bool = True
    idle_timeout: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(minutes=2)
    requests_per_minute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    answers_as: tuple[str, ...] = ()
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    requires_usage: bool = False
    options: Mapping[str, Any] = {}

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError("is not a URL") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError("must begin with http:// or https:// and name a host")
        if parsed.userinfo or parsed.query or parsed.fragment:
            raise ValueError("must hold no user name, password, query or fragment: give key=, by SecretRef")
        path = parsed.path.rstrip("/")
        for endpoint in _ENDPOINTS:
            path = path.removesuffix(endpoint)
        return str(parsed.copy_with(path=path or "/v1"))

    @field_validator("headers")
    @classmethod
    def _legal_headers(cls, headers: Mapping[str, str | SecretRef]) -> Mapping[str, str | SecretRef]:
        # What is a credential by its name, and given as a literal, comes back as a SecretStr: it would enter a history.
        for name, value in protected(headers).items():
            if isinstance(value, SecretStr):
                raise ValueError(f"header {name!r} is a credential: give a SecretRef")
        return headers

    @property
    def engine(self) -> str:
        """What results say they were made by."""
        return self.label or self.name
