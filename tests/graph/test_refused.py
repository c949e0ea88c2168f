"""What a run is refused in its graph, before anything starts, and that runs which were let pass go on."""

from __future__ import annotations

import uuid

from temporalio.client import Client
from temporalio.worker import Worker
from tests.graph.clusters import ACTIVITIES, WORKFLOWS, LetPass, Told
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay


async def test_what_earlier_versions_let_pass_is_refused(client: Client) -> None:
    """A new run is refused a graph that would do only some of what it says; its history replays."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, max_cached_workflows=0):
        handle = await client.start_workflow(LetPass.run, id=queue, task_queue=queue)
        assert await handle.result() == Told(
            {},
            "The graph cannot run, for 3 reasons:\n"
            "- Steps 'use_clusters', 'again' have the activity id 'one', by which Temporal tells them apart: leave "
            "activity_id out\n"
            "- Step 'inside' is given 'use_clusters' inside of a dict, where no result takes its place: pass it as an "
            "argument, or in a list that is one\n"
            "- Step 'named' has when='all_done', which is no rule: pass one, such as ALL_DONE",
        )
    history = await handle.fetch_history()
    assert not any(event.HasField("activity_task_scheduled_event_attributes") for event in history.events)
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_what_was_let_pass_goes_on() -> None:
    """A history of the version that let it pass replays with this one, whole and cut after each task."""
    whole = recorded("older_graph_let")
    cut = beginnings(whole)
    assert [one.workflow_id for one in whole] == ["older_graph_let_pass"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
