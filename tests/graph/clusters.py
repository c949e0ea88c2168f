"""Workflows and activities of the graph tests in which ids are alike, setups come up halfway, and much is let pass."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal, idempotency_key
    from segue.workflows import Graph, InvalidGraph, Outcome

fleet = System(
    "graph-test-fleet",
    policy=Policy(initial_interval=timedelta(milliseconds=50), heartbeat_timeout=timedelta(seconds=5)),
)

# What was put up and taken down, by workflow id, in order; and the workflow ids whose clusters are held no longer.
effects: defaultdict[str, list[str]] = defaultdict(list)
released: set[str] = set()


@fleet.activity
async def bill_cents(cents: int) -> list[str]:
    return [activity.info().activity_id, idempotency_key()]


@fleet.activity
async def raise_cluster(name: str) -> str:
    """Put a cluster up. `bad` fails, `slow` beats until it is cancelled, and `deaf` comes up although it was.

    `held` waits until the test lets it go.
    """
    run = activity.info().workflow_id or ""
    effects[run].append(f"boot {name}")
    if name == "bad":
        raise Terminal("no capacity")
    try:
        while name in ("slow", "deaf") or (name == "held" and run not in released):
            activity.heartbeat()
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        if name != "deaf":
            raise
    effects[run].append(f"{name} is up")
    return name


@fleet.activity
async def use_clusters(clusters: Any) -> Any:
    return clusters


@fleet.activity
async def drop_one_cluster(cluster: str) -> None:
    effects[activity.info().workflow_id or ""].append(f"drop {cluster}")


@fleet.activity
async def drop_whole_fleet(clusters: list[str], told: Outcome[list[str]]) -> None:
    run = activity.info().workflow_id or ""
    effects[run].append(f"drop {', '.join(clusters)}; {told.state}: {told.result}: {told.error}")


async def graph_of_charges() -> list[list[str]]:
    graph = Graph()
    one = graph.step(bill_cents, 100)
    two = graph.step(bill_cents, 200, after=one)
    result = await graph.run()
    return [result[one], result[two]]


@workflow.defn
class Alike:
    """Steps whose ids are alike: charges made plainly, before a graph of charges, beside it, or by a given id."""

    @workflow.run
    async def run(self, case: Literal["before", "beside", "after", "given"]) -> list[list[str]]:
        async def plain(cents: int, given: str | None = None) -> list[str]:
            return await workflow.execute_activity(bill_cents, cents, activity_id=given)

        match case:
            case "before":
                return [await plain(1), await plain(2), *await graph_of_charges()]
            case "beside":
                one, two, several = await asyncio.gather(plain(1), plain(2), graph_of_charges())
                return [one, two, *several]
            case "after":
                several, one, two = await asyncio.gather(graph_of_charges(), plain(1), plain(2))
                return [*several, one, two]
            case "given":
                given = [await plain(1), await plain(2, "bill_cents-1"), await plain(3, "bill_cents-1")]
                local = await workflow.execute_local_activity(bill_cents, 4, activity_id="bill_cents-1")
                return [*given, local, await plain(5, "bill_cents-3"), await plain(6), await plain(7)]


@workflow.defn
class AlikeTwice:
    """Charges and a graph of charges, and when it is told to go on the same again."""

    def __init__(self) -> None:
        self.goes_on = False

    @workflow.run
    async def run(self) -> list[list[str]]:
        charged = [await workflow.execute_activity(bill_cents, cents) for cents in (1, 2)]
        charged += await graph_of_charges()
        await workflow.wait_condition(lambda: self.goes_on)
        charged.append(await workflow.execute_activity(bill_cents, 3))
        return [*charged, *await graph_of_charges()]

    @workflow.signal
    def go_on(self) -> None:
        self.goes_on = True


@workflow.defn
class Cluster:
    """A cluster that is put up, used and dropped."""

    @workflow.run
    async def run(self, name: str) -> None:
        graph = Graph()
        cluster = graph.step(raise_cluster, name)
        graph.step(use_clusters, cluster)
        graph.step(drop_one_cluster, cluster, teardown_of=cluster)
        await graph.run()


@workflow.defn
class Fleet:
    """Several clusters, put up a few at a time, used, and dropped: by their list, and by what became of them."""

    @workflow.run
    async def run(self, names: list[str], concurrency: int) -> dict[str, str]:
        graph = Graph()
        clusters = graph.map(raise_cluster, names, concurrency=concurrency)
        graph.step(use_clusters, clusters)
        graph.step(drop_whole_fleet, clusters, clusters.outcome, teardown_of=clusters)
        return {**(await graph.run(raise_on_failure=False)).states}


@dataclass
class Told:
    states: dict[str, str]
    refused: str = ""


@workflow.defn
class LetPass:
    """A graph that earlier versions let pass: it did some of what it says, and made up for the rest."""

    @workflow.run
    async def run(self) -> Told:
        graph = Graph()
        one = graph.step(use_clusters, 1, activity_id="one")
        inside = graph.step(use_clusters, {"one": one}, name="inside")
        again = graph.step(use_clusters, 2, activity_id="one", after=one, name="again")
        named: Any = "all_done"
        graph.step(use_clusters, 3, when=named, after=[inside, again], name="named")
        try:
            return Told({**(await graph.run()).states})
        except InvalidGraph as error:
            return Told({}, error.message)


WORKFLOWS: list[type] = [Alike, AlikeTwice, Cluster, Fleet, LetPass]
ACTIVITIES: list[Callable[..., Any]] = [bill_cents, raise_cluster, use_clusters, drop_one_cluster, drop_whole_fleet]
