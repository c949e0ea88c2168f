"""A workflow that calls an activity by its name, in a module that does not import the activity's."""

from __future__ import annotations

from temporalio import workflow


@workflow.defn
class Elsewhere:
    """Sends a twig to be pressed."""

    @workflow.run
    async def run(self) -> list[bool]:
        twig = {"leaves": [{"picked": "2026-05-01"}, {"picked": "2026-05-02"}], "note": "in May"}
        pressed: list[bool] = await workflow.execute_activity("press_twig", twig)
        return pressed
