"""`segue replay` and `segue.workers.replay`: histories against today's code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio import workflow
from tests.cli.conftest import Ended, Segue
from tests.core.replayed import TEN_SECONDS, WORKFLOWS, Parcel
from tests.recorded import HISTORIES

from segue.workers import ReplayError, replay


@workflow.defn(name="Chain")
class OtherChain:
    """Chain, begun with another step."""

    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        await workflow.execute_activity("shout", "first", start_to_close_timeout=TEN_SECONDS)
        return 0


def copied(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_text((HISTORIES / name).read_text())
    return tmp_path


async def test_histories_that_replay(tmp_path: Path) -> None:
    """Replay returns how many histories of a folder fit the code."""
    assert await replay(copied(tmp_path, "core_plain_Chain.json", "core_plain_Parent.json"), WORKFLOWS) == 2


async def test_histories_that_do_not(tmp_path: Path) -> None:
    """All failures are told together: the file, the workflow's type, the event, and what the matter is."""
    folder = copied(tmp_path, "core_plain_Chain.json", "core_plain_FanOut.json", "core_plain_Parent.json")
    (folder / "core_torn.json").write_text("[]")
    others = [cls for cls in WORKFLOWS if cls.__name__ not in ("Chain", "FanOut")]
    with pytest.raises(ReplayError) as raised:
        await replay(folder, [*others, OtherChain])
    names = ", ".join(sorted(cls.__name__ if cls is not OtherChain else "Chain" for cls in [*others, OtherChain]))
    assert str(raised.value) == (
        "3 of 4 histories do not replay:\n"
        "  core_plain_Chain.json (Chain) at event 5, ActivityTaskScheduled: [TMPRL1100] Nondeterminism error: Activity "
        "type of scheduled event 'weigh' does not match activity type of activity command 'shout'\n"
        f"  core_plain_FanOut.json (FanOut): its type is not among the workflows given, which are {names}\n"
        "  core_torn.json: cannot be read as a history: ValueError: JSON history not a dictionary"
    )
    assert raised.value.replayed == 1
    assert [(failure.source, failure.event_id) for failure in raised.value.failures] == [
        ("core_plain_Chain.json", 5),
        ("core_plain_FanOut.json", None),
        ("core_torn.json", None),
    ]


async def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder without histories is an error: a test that replays nothing would pass for ever."""
    with pytest.raises(ValueError, match=f"^No histories to replay in {tmp_path}$"):
        await replay(tmp_path, WORKFLOWS)


@pytest.mark.usefixtures("worker")
def test_the_command(segue: Segue, project: Path) -> None:
    """A recorded history replays; after a change of the code it does not, and the exit code is 1."""
    (project / "histories").mkdir()
    assert segue("run", "shop:FulfilOrder", "--input", '{"id": "1"}', "--id", "replayed", "--wait").code == 0
    assert segue("history", "replayed", "-o", "histories/fulfil.json").code == 0
    assert segue("replay", "shop", "--histories", "histories") == Ended(0, "1 history replays\n", "")
    query = 'WorkflowId = "replayed" AND ExecutionStatus = "Completed"'
    assert segue("replay", "shop", "--query", query, "--json") == Ended(0, '{"replayed":1,"failures":[]}\n', "")
    source = (project / "shop.py").read_text()
    (project / "shop.py").write_text(source.replace("        await workflow.execute_activity(reserve, order)\n", ""))
    matter = (
        "[TMPRL1100] Nondeterminism error: Activity id of scheduled event 'reserve-1' does not match activity id of "
        "activity command 'charge-1'"
    )
    ended = segue("replay", "shop", "--histories", "histories")
    assert (ended.code, ended.out) == (1, "")
    first, second = ended.err.splitlines()
    assert first == "1 of 1 histories do not replay:"
    assert second.startswith("  fulfil.json (FulfilOrder) at event ")
    assert second.endswith(f", ActivityTaskScheduled: {matter}")
    ended = segue("replay", "shop", "--histories", "histories", "--json")
    assert (ended.code, ended.err) == (1, "")
    [failure] = json.loads(ended.out)["failures"]
    assert (failure["source"], failure["workflow_type"], failure["event_type"], failure["message"]) == (
        "fulfil.json",
        "FulfilOrder",
        "ActivityTaskScheduled",
        matter,
    )


def test_one_source_of_histories(segue: Segue) -> None:
    """Histories come from a folder or from the server: one of the two is named."""
    assert segue("replay", "shop") == Ended(2, "", "Error: Give one of --histories DIR and --query QUERY\n")
