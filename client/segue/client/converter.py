"""The converter: pydantic's JSON, faithful or refused, and never larger than Temporal takes.

A value that JSON would alter silently, and arguments or a result over the server's limit, raise `PayloadError` where
they are sent: in the workflow before the step is scheduled, in the activity as a terminal failure, in the client before
the workflow starts. In plain Temporal the first arrives altered, and the second wedges the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import copyreg
import dataclasses
import threading
from abc import ABCMeta
from collections.abc import Sequence
from typing import Any, Final

import httpx
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
    PayloadCodec,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from segue.activities import faithful
from segue.activities.errors import PayloadError, message_of

__all__ = ["PAYLOAD_SIZE_LIMIT", "SeguePayloadConverter", "data_converter"]

PAYLOAD_SIZE_LIMIT: Final = 2 * 1024 * 1024
"""Bytes that a Temporal server takes as the arguments or the result of one call (`limit.blobSize.error`)."""

# Bytes of a payload beside its data, at most: its encoding, and what protobuf puts around them.
_OVERHEAD: Final = 64
# Several calls of one workflow task may each wait this long, and the SDK gives a task two seconds.
_CODEC_TIMEOUT: Final = 0.5

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
        try:
            faithful.check(value)
            data = pydantic_core.to_json(value)
        except PayloadError:
            if faithful.binding():
                raise
            return _as_before_segue(value)
        except (pydantic_core.PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
            if faithful.binding():
                raise PayloadError(faithful.unserializable(value) or f"the value has no JSON form: {error}") from error
            return _as_before_segue(value)
        return Payload(metadata={"encoding": b"json/plain"}, data=data)

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See base class.

        Raises:
            ApplicationError: The payload is not of the type that the receiver declares. It fails a workflow that was
                started with it, where any other error would leave the workflow retrying its task for ever.
        """
        try:
            if type_hint is None:
                return pydantic_core.from_json(payload.data)
            return faithful.adapter(type_hint).validate_json(payload.data)
        except pydantic.ValidationError as error:
            # Temporal's default converter writes bytes as a list of numbers. Runs from before Segue hold such.
            if all(problem["type"] == "bytes_type" for problem in error.errors(include_url=False, include_input=False)):
                with contextlib.suppress(Exception):
                    return _PLAIN_JSON.from_payload(payload, type_hint)
            problem = f"Expected {error.title}: {_problems(error)}"
        except pydantic.PydanticUserError as error:
            # A hint that pydantic knows nothing of, and Temporal's default converter perhaps does.
            try:
                return _PLAIN_JSON.from_payload(payload, type_hint)
            except Exception:
                problem = f"No value can be made for the hint {type_hint!r}: {error.message}"
        except ValueError as error:
            problem = f"Expected JSON: {error}"
        raise ApplicationError(problem, type="PayloadValidationError", non_retryable=True)


_PLAIN_JSON: Final = JSONPlainPayloadConverter()


def _as_before_segue(value: Any) -> Payload:
    """Return a value as Temporal's own converters wrote it when its run was begun, altered or not."""
    try:
        return Payload(metadata={"encoding": b"json/plain"}, data=pydantic_core.to_json(value))
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError):
        payload = _PLAIN_JSON.to_payload(value)
        assert payload is not None
        return payload


class _Measuring(ABCMeta):
    """The class of a converter class that knows its codec and storage, which is made for one data converter."""


def _without_codec() -> Any:
    return SeguePayloadConverter


# Activities in a process pool are sent their converter's class, and a class is pickled by its name.
copyreg.pickle(_Measuring, lambda cls: (_without_codec, ()))


class SeguePayloadConverter(CompositePayloadConverter):
    """Temporal's converters, with JSON made faithful, and arguments of one call held under the server's limit."""

    _codec: PayloadCodec | None = None
    _stored_from: int | None = None

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
        size = 0
        try:
            for index, value in enumerate(values):
                try:
                    payloads.extend(super().to_payloads([value]))
                except PayloadError as error:
                    error.position = index
                    raise
                size += len(payloads[-1].data) + _OVERHEAD
            if size > PAYLOAD_SIZE_LIMIT:
                self._hold(payloads)
        except PayloadError as error:
            if (sent := faithful.sending.get()) is None:
                raise
            raise PayloadError(f"{sent}: {error.message}", error.path) from None
        if (meter := faithful.meter.get()) is not None:
            meter.add(size)
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """See base class.

        Raises:
            ApplicationError: A payload is not of the type that the receiver declares.
        """
        if len(payloads) < 2:
            return super().from_payloads(payloads, type_hints)
        values: list[Any] = []
        for index, payload in enumerate(payloads):
            hint = [type_hints[index]] if type_hints else None
            try:
                values.extend(super().from_payloads([payload], hint))
            except ApplicationError as error:
                raise ApplicationError(
                    f"Argument {index + 1}: {error.message}", type=error.type, non_retryable=True
                ) from None
        return values

    def _hold(self, payloads: list[Payload]) -> None:
        """Refuse what is too large as it will be sent: compressed by a codec, or without what goes to a storage."""
        sizes = [payload.ByteSize() for payload in payloads]
        if self._sent_size(payloads) <= PAYLOAD_SIZE_LIMIT or faithful.stays_here.get() or not faithful.binding():
            return
        largest = sizes.index(max(sizes))
        together = f" of {sum(sizes):,} together" if len(sizes) > 1 else ""
        error = PayloadError(
            f"the value is {sizes[largest]:,} bytes{together}, and one call carries at most {PAYLOAD_SIZE_LIMIT:,}: "
            "store it as an object and send a reference to it"
        )
        error.position = largest
        raise error

    def _sent_size(self, payloads: list[Payload]) -> int:
        codec = self._codec
        if codec is not None:
            # The SDK runs the codec when nobody can refuse any more. Only what may be too large is encoded twice, in a
            # thread of its own, for this may be a workflow, whose event loop runs no I/O.
            encoded: list[list[Payload]] = []

            def encode() -> None:
                # A codec that fails, or works on its own event loop only, cannot be asked: the server decides.
                with contextlib.suppress(Exception):
                    encoded.append(asyncio.run(codec.encode(payloads)))

            # Never joined without a limit: the codec may wait for the very loop that waits here.
            thread = threading.Thread(target=encode, daemon=True)
            thread.start()
            thread.join(_CODEC_TIMEOUT)
            if not encoded:
                return 0
            payloads = encoded[0]
        sizes = [payload.ByteSize() + 4 for payload in payloads]
        if self._stored_from is not None:
            sizes = [size for size in sizes if size < self._stored_from]
        return sum(sizes)


class SegueFailureConverter(DefaultFailureConverter):
    """Failures short enough to be delivered: long messages, traces and details are cut, and say so."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        try:
            super().to_failure(exception, payload_converter, failure)
        except Exception as error:
            # The details of an error must not cost the error itself.
            replacement = ApplicationError(
                str(getattr(exception, "message", exception)) or type(exception).__name__,
                f"details left out: {error.message if isinstance(error, PayloadError) else error}",
                type=getattr(exception, "type", None) or type(exception).__name__,
                non_retryable=bool(getattr(exception, "non_retryable", False)),
            ).with_traceback(exception.__traceback__)
            failure.Clear()
            super().to_failure(replacement, payload_converter, failure)
        if isinstance(exception, (pydantic.ValidationError, httpx.HTTPStatusError)):
            # Also where it is the cause of another: the SDK comes here for each link of the chain.
            failure.message = message_of(exception)
        _shorten(failure)


def data_converter(existing: DataConverter | None) -> DataConverter:
    """Return a data converter with Segue's conversion in the place of Temporal's default.

    What a user chose stays: a codec, external storage, and converter classes other than Temporal's own.
    """
    converter = existing or DataConverter.default
    payload_class: type[PayloadConverter] = converter.payload_converter_class
    if payload_class in (DefaultPayloadConverter, PydanticPayloadConverter):
        codec, storage = converter.payload_codec, converter.external_storage
        if codec is None and storage is None:
            payload_class = SeguePayloadConverter
        else:
            stored_from = storage.payload_size_threshold if storage is not None else None
            attributes = {"_codec": codec, "_stored_from": stored_from}
            made: Any = _Measuring("SeguePayloadConverter", (SeguePayloadConverter,), attributes)
            payload_class = made
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
