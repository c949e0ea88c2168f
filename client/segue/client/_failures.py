"""What a failure in a history says, as a record: its type, its message, and its innermost cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure

from segue.client.records import Error
from segue.client.wording import duration

__all__ = ["Decoded", "error_of", "payloads_of"]

Decoded: TypeAlias = Callable[[Payload], Any]
"""Gives what a payload holds; None if it could not be decoded."""

_TYPES: Final = {
    "canceled_failure_info": "CancelledError",
    "terminated_failure_info": "TerminatedError",
    "server_failure_info": "ServerError",
    "reset_workflow_failure_info": "ResetWorkflowError",
    "activity_failure_info": "ActivityError",
    "child_workflow_execution_failure_info": "ChildWorkflowError",
    "nexus_operation_execution_failure_info": "NexusOperationError",
    "nexus_handler_failure_info": "HandlerError",
}


def error_of(failure: Failure | None, decoded: Decoded, limit: timedelta | None = None) -> Error | None:
    """Return a failure as a record, None if there is none. The limit is the timeout that was exceeded, if known."""
    if failure is None or not failure.ByteSize():
        return None
    type, message = _described(failure, decoded, limit)
    cause: str | None = None
    if failure.HasField("cause"):
        innermost = failure.cause
        while innermost.HasField("cause"):
            innermost = innermost.cause
        inner_type, inner_message = _described(innermost, decoded, None)
        cause = str(Error(type=inner_type, message=inner_message))
    return Error(type=type, message=message, cause=cause)


def payloads_of(failure: Failure | None) -> Iterator[Payload]:
    """Yield what must be decoded to read a failure: messages, where the failure converter has encoded them."""
    while failure is not None:
        if failure.HasField("encoded_attributes"):
            yield failure.encoded_attributes
        failure = failure.cause if failure.HasField("cause") else None


def _described(failure: Failure, decoded: Decoded, limit: timedelta | None) -> tuple[str, str]:
    message = failure.message
    if failure.HasField("encoded_attributes"):
        encoded = decoded(failure.encoded_attributes)
        if isinstance(encoded, dict):
            message = str(cast("dict[str, Any]", encoded).get("message", message))
    info = failure.WhichOneof("failure_info")
    if info == "application_failure_info":
        return failure.application_failure_info.type or "ApplicationError", message
    if info == "timeout_failure_info":
        name = TimeoutType.Name(failure.timeout_failure_info.timeout_type).removeprefix("TIMEOUT_TYPE_")
        words = f"{name.replace('_', '-').lower()} timeout"
        return "TimeoutError", f"{words} of {duration(limit)}" if limit else words
    return _TYPES.get(info or "", "Error"), message
