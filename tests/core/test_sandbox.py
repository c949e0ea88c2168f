"""The sandbox: workflow code stays in it; what holds no state of a run is imported once, and works without ceremony."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import textwrap
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

# Each module of a project says that it is imported, also when the sandbox does it again.
TELL = """
from temporalio import workflow as _workflow
with _workflow.unsafe.sandbox_unrestricted():
    with open({log!r}, "a") as _file:
        print(__name__, file=_file)
"""

Project = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Writes a package of modules that tell of their import, and returns its name."""
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    made: list[str] = []

    def write(**modules: str) -> str:
        name = f"shop_{uuid.uuid4().hex[:8]}"
        made.append(name)
        folder = tmp_path / name
        folder.mkdir()
        for module, text in {"__init__": "", **modules}.items():
            told = TELL.format(log=str(tmp_path / "imports"))
            source = textwrap.dedent(text).replace("SHOP", name)
            future = "from __future__ import annotations\n"
            (folder / f"{module}.py").write_text(future + told + source)
        importlib.invalidate_caches()
        return name

    yield write
    for module in list(sys.modules):
        if module.partition(".")[0] in made:
            del sys.modules[module]


def imports(tmp_path: Path, name: str) -> dict[str, int]:
    """Return how often each module of a project was imported."""
    lines = (tmp_path / "imports").read_text().split()
    return {line.removeprefix(name).lstrip(".") or "__init__": count for line, count in Counter(lines).items()}


ACTIVITIES = """
import httpx
from segue.activities import System
from SHOP.models import Order

bank = System("bank-SHOP", terminal=(httpx.UnsupportedProtocol,))

@bank.activity
async def pay(order: Order) -> str:
    async with httpx.AsyncClient() as client:
        return f"paid {order.id} with {type(client).__name__}"
"""
MODELS = """
from pydantic import BaseModel

class Order(BaseModel):
    id: str
"""
FLOWS = """
import random
from pydantic import BaseModel
from temporalio import workflow
from SHOP.activities import pay
from SHOP.models import Order

class Result(BaseModel):
    order: Order
    paid: str

RUNS: list[str] = []

@workflow.defn
class Sell:
    @workflow.run
    async def run(self, order: Order, roll: bool) -> Result:
        RUNS.append(order.id)
        if roll:
            random.random()
        return Result(order=order, paid=f"{await workflow.execute_activity(pay, order)}, {len(RUNS)} in this module")
"""


async def _sold(client: Client, name: str, runs: int, activities: str = "activities") -> list[Any]:
    flows: Any = importlib.import_module(f"{name}.flows")
    acts: Any = importlib.import_module(f"{name}.{activities}")
    async with Worker(client, task_queue=name, workflows=[flows.Sell], activities=[acts.pay]):
        return [
            await client.execute_workflow(
                flows.Sell.run, args=[flows.Order(id=str(n)), False], id=str(uuid.uuid4()), task_queue=name
            )
            for n in range(runs)
        ]


async def task_failure(handle: WorkflowHandle[Any, Any]) -> str:
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)


async def _rolls(client: Client, name: str, activities: str = "activities") -> str:
    """Return with what a run fails that uses randomness."""
    flows: Any = importlib.import_module(f"{name}.flows")
    acts: Any = importlib.import_module(f"{name}.{activities}")
    async with Worker(client, task_queue=f"{name}-rolls", workflows=[flows.Sell], activities=[acts.pay]):
        handle = await client.start_workflow(
            flows.Sell.run, args=[flows.Order(id="0"), True], id=str(uuid.uuid4()), task_queue=f"{name}-rolls"
        )
        failure = await asyncio.wait_for(task_failure(handle), 20)
        await handle.terminate()
    return failure


RESTRICTED = "Cannot access random.random.__call__ from inside a workflow."


async def test_only_workflow_code_is_imported_for_each_run(client: Client, project: Project, tmp_path: Path) -> None:
    """Models and activities, httpx and all, are imported once for the process; the workflow's module for each run."""
    name = project(models=MODELS, activities=ACTIVITIES, flows=FLOWS)
    results = await _sold(client, name, 5)
    # Each run has the module to itself.
    assert [result.paid for result in results] == [f"paid {n} with AsyncClient, 1 in this module" for n in range(5)]
    # Once for the process, once to see that it can be, and once for each run. The package is that of the module.
    assert imports(tmp_path, name) == {"__init__": 7, "flows": 7, "activities": 1, "models": 1}
    assert (await _rolls(client, name)).startswith(RESTRICTED)


async def test_models_and_activities_in_the_workflows_own_module(
    client: Client, project: Project, tmp_path: Path
) -> None:
    """Everything in one module works, models, systems and activities included, and is sandboxed."""
    both = MODELS + ACTIVITIES.replace("from SHOP.models import Order\n", "")
    flows = both + FLOWS.replace("from SHOP.activities import pay\nfrom SHOP.models import Order\n", "")
    name = project(flows=flows)
    results = await _sold(client, name, 2, "flows")
    assert [result.paid for result in results] == [f"paid {n} with AsyncClient, 1 in this module" for n in range(2)]
    assert imports(tmp_path, name) == {"__init__": 4, "flows": 4}
    assert (await _rolls(client, name, "flows")).startswith(RESTRICTED)


async def test_a_package_that_holds_both(client: Client, project: Project) -> None:
    """Activities and models in a package's own file leave the workflows below it in the sandbox."""
    package = MODELS + ACTIVITIES.replace("from SHOP.models import Order\n", "")
    flows = FLOWS.replace("SHOP.activities", "SHOP").replace("SHOP.models", "SHOP")
    name = project(__init__=package, flows=flows)
    acts: Any = importlib.import_module(name)
    module: Any = importlib.import_module(f"{name}.flows")
    async with Worker(client, task_queue=name, workflows=[module.Sell], activities=[acts.pay]):
        order = acts.Order(id="1")
        result = await client.execute_workflow(
            module.Sell.run, args=[order, False], id=str(uuid.uuid4()), task_queue=name
        )
        assert result.paid == "paid 1 with AsyncClient, 1 in this module"
        handle = await client.start_workflow(module.Sell.run, args=[order, True], id=str(uuid.uuid4()), task_queue=name)
        failure = await asyncio.wait_for(task_failure(handle), 20)
        await handle.terminate()
    assert failure.startswith(RESTRICTED)


async def test_runs_leave_nothing_behind(client: Client, project: Project) -> None:
    """Classes that the sandbox makes for a run go with it, whatever was made for them."""
    both = MODELS + ACTIVITIES.replace("from SHOP.models import Order\n", "")
    flows = both + FLOWS.replace("from SHOP.activities import pay\nfrom SHOP.models import Order\n", "")
    name = project(flows=flows)
    module: Any = importlib.import_module(f"{name}.flows")
    async with Worker(
        client, task_queue=name, workflows=[module.Sell], activities=[module.pay], max_cached_workflows=2
    ):
        for n in range(20):
            await client.execute_workflow(
                module.Sell.run, args=[module.Order(id=str(n)), False], id=str(uuid.uuid4()), task_queue=name
            )
    gc.collect()
    # A sandboxed run also leaves proxies about, which must not be asked for their class.
    classes: list[type] = [thing for thing in gc.get_objects() if issubclass(type(thing), type)]
    results = [cls for cls in classes if (cls.__module__, cls.__name__) == (module.__name__, "Result")]
    # That of the process, and at most those of the runs that were cached last.
    assert 1 <= len(results) <= 4
