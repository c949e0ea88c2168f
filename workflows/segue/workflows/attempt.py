"""Around each attempt of an activity, in its worker: whose step it is, its beats, and what its error means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput

from segue.activities import heartbeat
from segue.activities.certainty import begun_in_time, certain
from segue.activities.earlier import none_before
from segue.activities.errors import PayloadError, classify
from segue.activities.idempotency import STEP_HEADER, effects, step_info
from segue.workflows.arguments import check_result
from segue.workflows.history_room import LOCAL_RESULT_LIMIT, size_of
from segue.workflows.options import Catalogue

__all__ = ["AttemptInterceptor"]


class AttemptInterceptor(ActivityInboundInterceptor):
    """Stands around each attempt that a worker makes.

    Args:
        next: What comes after it.
        catalogue: Which effect which activity has.
        clients: The clients of this process's workers, by namespace.
    """

    def __init__(self, next: ActivityInboundInterceptor, catalogue: Catalogue, clients: Mapping[str, Client]) -> None:
        super().__init__(next)
        self._catalogue = catalogue
        self._clients = clients

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """See base class."""
        self._outbound = _Outbound(outbound)
        super().init(self._outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """See base class."""
        header = input.headers.get(STEP_HEADER)
        if header is not None:
            self._outbound.step_info = step_info(self._outbound.info(), header.data)
        done = effects.set({})
        name, returned = activity.info().activity_type, False
        try:
            if self._catalogue.effect(name).kind == "at_most_once":
                await none_before(self._clients.get(activity.info().namespace))
                begun_in_time()
            async with self._outbound.beats.beating():
                result = await super().execute_activity(input)
            returned = True
            if self._catalogue.checks:
                definition = getattr(input.fn, "__temporal_activity_definition", None)
                check_result(
                    f"The result of activity {activity.info().activity_type!r}",
                    result,
                    getattr(definition, "ret_type", None),
                )
            if activity.info().is_local and (size := size_of(result) or 0) > LOCAL_RESULT_LIMIT:
                raise PayloadError(
                    f"The result of local activity {activity.info().activity_type!r} is {size:,} bytes, and one of a "
                    f"local activity may be {LOCAL_RESULT_LIMIT:,}: all that end in one workflow task are recorded in "
                    "one request. Call it with execute_activity, or store an object and return a reference to it"
                )
            return result
        except (Exception, BaseExceptionGroup, asyncio.CancelledError) as error:
            system = self._catalogue.system(name)
            raised = classify(error, system)
            if self._catalogue.effect(name).kind == "at_most_once":
                raised = certain(error, raised, system, returned=returned)
            if raised is error:
                raise
            raise raised from raised.__cause__
        finally:
            effects.reset(done)


class _Outbound(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        super().__init__(next)
        self.beats = heartbeat.Beats(super().heartbeat)
        self.step_info: activity.Info | None = None

    def info(self) -> activity.Info:
        return super().info() if self.step_info is None else self.step_info

    def heartbeat(self, *details: Any) -> None:
        self.beats.observe(details)
        super().heartbeat(*details)
