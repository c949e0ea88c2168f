"""What a client sends is checked before it leaves, as it is inside workflows: nothing starts that cannot succeed."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Generator
from typing import Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import (
    ActivityHandle,
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartActivityInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)

from segue.activities.errors import PayloadError
from segue.workflows.arguments import check_arguments, unsendable
from segue.workflows.options import Catalogue

__all__ = ["SegueClientInterceptor"]


class SegueClientInterceptor(Interceptor):
    """Refuses workflow arguments that would arrive altered, naming the workflow and the argument."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See base class."""
        return _Outbound(next) if self._catalogue.checks else next


class _Outbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        callee = f"Workflow {input.workflow!r} is not started"
        # The call names the workflow but not its parameters. Looking them up is worth it only for what hints decide.
        hints = _parameter_types(input.workflow) if any(map(_derived, input.args)) else None
        check_arguments(callee, (), input.args, hints)
        with _named(callee):
            return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        with _named(f"Signal {input.signal!r} is not sent"):
            await super().signal_workflow(input)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        with _named(f"Query {input.query!r} is not sent"):
            return await super().query_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        with _named(f"Update {input.update!r} is not sent"):
            return await super().start_workflow_update(input)

    async def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        with _named(f"Activity {input.activity_type!r} is not started"):
            return await super().start_activity(input)


@contextlib.contextmanager
def _named(callee: str) -> Generator[None]:
    """Name what the converter refuses."""
    try:
        yield
    except PayloadError as error:
        raise unsendable(callee, (), error) from None


def _derived(value: Any) -> bool:
    """Whether a value's class adds to another model or dataclass, so that a receiver might build that other one."""
    bases: tuple[type[Any], ...] = value.__class__.__bases__
    return any(
        (issubclass(base, BaseModel) and base is not BaseModel) or dataclasses.is_dataclass(base) for base in bases
    )


# Parameter types of workflows by name, once they were found: looking for them takes tens of milliseconds.
_found: dict[str, list[type] | None] = {}


def _parameter_types(name: str) -> list[type] | None:
    """Return the parameter types of a workflow that this process has imported; None if it has not."""
    if name not in _found:
        for module in list(sys.modules.values()):
            for value in list(getattr(module, "__dict__", {}).values()):
                if isinstance(value, type):
                    definition = workflow._Definition.from_class(value)  # pyright: ignore[reportPrivateUsage]
                    if definition is not None and definition.name == name:
                        _found[name] = definition.arg_types
    return _found.get(name)
