"""The converter: pydantic's JSON, faithful or refused, and never larger than Temporal takes.

A value that JSON would alter silently, and arguments or a result over the server's limit, raise `PayloadError` where
they are sent: in the workflow before the step is scheduled, in the activity as a terminal failure, in the client before
the workflow starts. In plain Temporal the first arrives altered, and the second wedges the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import pydantic
import pydantic_core
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    FailureConverter,
    JSONPlainPayloadConverter,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from segue.activities import faithful
from segue.activities.errors import PayloadError

__all__ = ["PAYLOAD_SIZE_LIMIT", "SeguePayloadConverter", "data_converter"]

PAYLOAD_SIZE_LIMIT: Final = 2 * 1024 * 1024
"""Bytes that a Temporal server takes as the arguments or the result of one call (`limit.blobSize.error`)."""

# A failure over 4 MB is never delivered. These leave room for a chain of causes.
_MESSAGE_LIMIT: Final = 10_000
_TRACE_LIMIT: Final = 20_000
_DETAILS_LIMIT: Final = 256 * 1024
_CAUSES_LIMIT: Final = 10


class FaithfulJSONConverter(EncodingPayloadConverter):
    """JSON through pydantic, of values that `faithful.check` lets pass.

    Adapters are kept for the whole process: the SDK makes a converter for every run of a workflow, and building an
    adapter costs more than most conversions.
    """

    @property
    def encoding(self) -> str:
        """See base class."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload:
        """See base class.

        Raises:
            PayloadError: The value cannot be carried faithfully.
        """
        faithful.check(value)
        try:
            data = pydantic_core.to_json(value)
        except (pydantic_core.PydanticSerializationError, ValueError) as error:
            raise PayloadError(faithful.unserializable(value) or f"the value has no JSON form: {error}") from error
        return Payload(metadata={"encoding": b"json/plain"}, data=data)

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See base class.

        Raises:
            ApplicationError: The payload is not of the type that the receiver declares. It fails a workflow that was
                started with it, where any other error would leave the workflow retrying its task for ever.
        """
        if type_hint is None:
            return pydantic_core.from_json(payload.data)
        try:
            return faithful.adapter(type_hint).validate_json(payload.data)
        except pydantic.ValidationError as error:
            raise ApplicationError(
                f"Expected {error.title}: {_problems(error)}", type="PayloadValidationError", non_retryable=True
            ) from None


class SeguePayloadConverter(CompositePayloadConverter):
    """Temporal's converters, with JSON made faithful, and arguments of one call held under the server's limit."""

    size_limit: int | None = PAYLOAD_SIZE_LIMIT

    def __init__(self) -> None:
        json = FaithfulJSONConverter()
        super().__init__(
            *(
                json if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """See base class.

        Raises:
            PayloadError: A value cannot be carried faithfully, or the values together are too large.
        """
        payloads: list[Payload] = []
        total = 0
        for index, value in enumerate(values):
            try:
                payloads.extend(super().to_payloads([value]))
            except PayloadError as error:
                error.position = index
                raise
            total += len(payloads[-1].data)
        if self.size_limit is not None and total > self.size_limit:
            largest = max(range(len(payloads)), key=lambda index: len(payloads[index].data))
            oversized = PayloadError(
                f"the value is {len(payloads[largest].data):,} bytes as JSON, and one call carries at most "
                f"{self.size_limit:,}: store it as an object and send a reference to it"
            )
            oversized.position = largest
            raise oversized
        return payloads


class UnboundedPayloadConverter(SeguePayloadConverter):
    """For a data converter whose codec compresses, or whose external storage takes what is large."""

    size_limit = None


class SegueFailureConverter(DefaultFailureConverter):
    """Failures short enough to be delivered: long messages, traces and details are cut, and say so."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        try:
            super().to_failure(exception, payload_converter, failure)
        except PayloadError as error:
            # The details of an error must not cost the error itself.
            replacement = ApplicationError(
                str(exception) or type(exception).__name__,
                f"details left out: {error.message}",
                type=getattr(exception, "type", None) or type(exception).__name__,
                non_retryable=bool(getattr(exception, "non_retryable", False)),
            ).with_traceback(exception.__traceback__)
            failure.Clear()
            super().to_failure(replacement, payload_converter, failure)
        _shorten(failure)


def data_converter(existing: DataConverter | None) -> DataConverter:
    """Return a data converter with Segue's conversion in the place of Temporal's default.

    What a user chose stays: a codec, external storage, and converter classes other than Temporal's own.
    """
    converter = existing or DataConverter.default
    payload_class: type[PayloadConverter] = converter.payload_converter_class
    if payload_class in (DefaultPayloadConverter, PydanticPayloadConverter):
        unbounded = converter.payload_codec is not None or converter.external_storage is not None
        payload_class = UnboundedPayloadConverter if unbounded else SeguePayloadConverter
    failure_class: type[FailureConverter] = converter.failure_converter_class
    if failure_class is DefaultFailureConverter:
        failure_class = SegueFailureConverter
    return dataclasses.replace(converter, payload_converter_class=payload_class, failure_converter_class=failure_class)


def _problems(error: pydantic.ValidationError) -> str:
    """Say which fields are wrong and how, without the input, which may be secret or large."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the value'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[:10]
    )


def _shorten(failure: Failure) -> None:
    for _ in range(_CAUSES_LIMIT):
        failure.message = _cut(failure.message, _MESSAGE_LIMIT)
        failure.stack_trace = _cut(failure.stack_trace, _TRACE_LIMIT)
        if failure.HasField("application_failure_info"):
            details = failure.application_failure_info.details
            size = details.ByteSize()
            if size > _DETAILS_LIMIT:
                del details.payloads[:]
                note = f"details left out: {size:,} bytes, at most {_DETAILS_LIMIT:,} are carried"
                details.payloads.append(Payload(metadata={"encoding": b"json/plain"}, data=pydantic_core.to_json(note)))
        if not failure.HasField("cause"):
            return
        failure = failure.cause
    failure.ClearField("cause")


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"
