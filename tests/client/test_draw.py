"""The observed order of a run, on a real server, and its drawing as Mermaid and SVG."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import re
import time
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

with workflow.unsafe.imports_passed_through():
    from segue.client._layout import Box, laid_out
    from segue.client._order import knotted, order
    from segue.client.draw import count, mermaid, svg
    from segue.client.inspect import run
    from segue.client.records import Error, Kind, Run, State, Step
    from segue.client.wording import title
    from segue.workflows.graph import DeclaredStep, Rule

TEN_SECONDS = timedelta(seconds=10)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def do(name: str) -> None:
    """A step that is known by its summary, so that a test can tell one from another."""
    await workflow.execute_activity(f"do_{name}", name, start_to_close_timeout=TEN_SECONDS)


def _named(name: str) -> Any:
    @activity.defn(name=f"do_{name}")
    async def step(argument: str) -> str:
        begun[name].set()
        if name == "slow_a":
            # No workflow task sees the end of this one together with that of b.
            await begun["slow_b"].wait()
        if activity.info().is_local:
            # Long enough that those which began together are seen to overlap.
            await asyncio.sleep(0.05)
        return argument

    return step


NAMES = ["a", "b", "c", "d", "e", "slow_a", "slow_b", "many"]
ACTIVITIES = [_named(name) for name in NAMES]


@workflow.defn
class Joins:
    """A fork of three branches, one of them of two steps, and their join."""

    @workflow.run
    async def run(self) -> None:
        await do("a")

        async def branch() -> None:
            await do("b")
            await do("slow_b")

        await asyncio.gather(do("slow_a"), branch(), workflow.sleep(2, summary="nap"))
        await do("d")


@workflow.defn
class FansOut:
    @workflow.run
    async def run(self, count: int) -> None:
        await do("a")
        await asyncio.gather(*(do("many") for _ in range(count)))
        await asyncio.gather(do("b"), do("c"))
        await asyncio.gather(*(do("many") for _ in range(count)))


@workflow.defn
class Loops:
    @workflow.run
    async def run(self, count: int) -> None:
        for _ in range(count):
            await do("a")
            await asyncio.gather(do("b"), do("c"))
        await do("d")


@workflow.defn
class Locals:
    @workflow.run
    async def run(self) -> None:
        async def local(name: str) -> None:
            await workflow.execute_local_activity(f"do_{name}", name, start_to_close_timeout=TEN_SECONDS)

        await do("a")
        await local("b")
        await asyncio.gather(local("c"), local("d"))
        await do("e")


@workflow.defn
class Approved:
    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    async def approve(self) -> None:
        await do("b")
        self.approved = True

    @workflow.signal
    async def remark(self) -> None:
        await do("e")

    @workflow.run
    async def run(self) -> None:
        await do("a")
        await workflow.wait_condition(lambda: self.approved, timeout=3600, timeout_summary="approval")
        await do("c")


begun: dict[str, asyncio.Event] = {}


async def observed(client: Client, fn: Any, *args: Any, signals: Iterable[str] = ()) -> Run:
    task_queue = f"draw-{uuid.uuid4()}"
    begun.update((name, asyncio.Event()) for name in NAMES)
    async with Worker(
        client,
        task_queue=task_queue,
        workflows=[Joins, FansOut, Loops, Locals, Approved],
        activities=ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(fn, args=args, id=task_queue, task_queue=task_queue)
        for number, signal in enumerate(signals):
            deadline = time.monotonic() + 30
            while sum(not step.is_open for step in (await run(handle)).steps) < 1 + 2 * number:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            await handle.signal(signal)
        await handle.result()
        return await run(handle)


def arrows(found: Run) -> list[str]:
    """What follows what, by names and counts."""
    drawn = order(found.steps)
    names = [
        title(group.steps[0]) + (f" x{len(group.steps)}" if len(group.steps) > 1 else "") for group in drawn.groups
    ]
    names = [name.removeprefix("do_") for name in names]
    forward = [f"{names[u]} > {names[v]}" for u, v in drawn.edges]
    return sorted(forward + [f"{names[u]} < {names[v]}" for u, v in drawn.loops])


async def test_branches_stand_beside_each_other_and_join(plain: Client) -> None:
    """Parallel branches of any length begin after what they follow, and all lead to what followed their join."""
    assert arrows(await observed(plain, Joins.run)) == [
        "a > b",
        "a > nap",
        "a > slow_a",
        "b > slow_b",
        "nap > d",
        "slow_a > d",
        "slow_b > d",
    ]


async def test_a_fan_out_is_one_box_wherever_it_stands(plain: Client) -> None:
    """Many steps of one name that ran together are one; the same name in a later phase is another."""
    assert arrows(await observed(plain, FansOut.run, 5)) == [
        "a > many x5",
        "b > many x5",
        "c > many x5",
        "many x5 > b",
        "many x5 > c",
    ]


async def test_a_loop_is_folded_once_it_is_long(plain: Client) -> None:
    """A few turns of a loop are drawn in full; many are folded, with a way back, and what runs beside stays beside."""
    short = order((await observed(plain, Loops.run, 2)).steps)
    assert (len(short.groups), short.loops) == (7, ())
    folded = arrows(await observed(plain, Loops.run, 9))
    # Which of b and c ends last, and so begins the next turn, differs from run to run.
    assert [arrow for arrow in folded if "<" not in arrow] == ["a x9 > b x9", "a x9 > c x9", "b x9 > d", "c x9 > d"]
    assert {arrow for arrow in folded if "<" in arrow} <= {"b x9 < a x9", "c x9 < a x9"}


async def test_local_activities_are_in_order_within_their_task(plain: Client) -> None:
    """Local activities of one workflow task follow each other, or stand side by side, as they ran."""
    assert arrows(await observed(plain, Locals.run)) == ["a > b", "b > c", "b > d", "c > e", "d > e"]


async def test_signals_lead_to_what_their_handlers_did(plain: Client) -> None:
    """A signal leads to its handler's steps, and these to what they let the run do; a mere remark leads nowhere."""
    found = await observed(plain, Approved.run, signals=["remark", "approve"])
    assert arrows(found) == ["a > approval", "approval > c", "approve > b", "b > c", "remark > e"]


# ---- drawings of runs made by hand


def test_what_only_leads_back_joins_all_the_same() -> None:
    """A branch of a folded loop that began the next turn, but not what followed the loop, leads to that as well."""
    steps: list[Step] = []
    for turn in range(9):
        task = 100 * turn + 10
        # In odd turns b is the last to end, in even ones c; the last turn is even.
        ends = (task + 40, task + 20) if turn % 2 else (task + 20, task + 40)
        steps += [step(task + 1, "a", task - 50 if turn else 5, task + 10)]
        steps += [step(task + 11, "b", task + 10, ends[0]), step(task + 12, "c", task + 10, ends[1])]
    for n, first in enumerate(steps[3::3]):
        last = max(steps[3 * n + 1].observed_task or 0, steps[3 * n + 2].observed_task or 0)
        steps[3 * n + 3] = dataclasses.replace(first, scheduled_task=last)
    steps.append(step(900, "d", steps[-1].observed_task, 910))
    assert arrows(a_run(*steps)) == ["a x9 > b x9", "a x9 > c x9", "b x9 < a x9", "b x9 > d", "c x9 < a x9", "c x9 > d"]


def step(number: int, name: str, scheduled: int | None, observed: int | None, **said: Any) -> Step:
    state: State = "completed" if observed is not None else "running"
    fields: dict[str, Any] = {"kind": "activity", "state": state, "summary": None, "duration": timedelta(seconds=1.2)}
    return Step(
        id=f"{name}-{number}",
        name=name,
        scheduled_time=NOON,
        scheduled_event_id=number,
        scheduled_task=scheduled,
        observed_task=observed,
        **{**fields, **said},
    )


def a_run(*steps: Step, **said: Any) -> Run:
    return dataclasses.replace(
        Run(
            workflow_id="order-17",
            run_id="01a2099f-1a92-7659-af45-f3dcf49437b5",
            type="FulfilOrder",
            status="running",
            task_queue="orders",
            start_time=NOON,
            duration=timedelta(seconds=250),
            steps=steps,
            history_length=42,
        ),
        **said,
    )


CHARGING = step(
    11,
    "charge",
    10,
    None,
    state="backing_off",
    summary="order-17",
    attempts=2,
    maximum_attempts=6,
    waiting_for="attempt 3 in 4 s: HTTPStatusError: POST http://bank/charges answered 503",
)


def test_mermaid_says_state_retries_and_what_is_waited_for() -> None:
    """The Mermaid text of a run that is retrying, whole."""
    assert mermaid(a_run(step(5, "reserve", 4, 10), CHARGING)) == (
        "flowchart TD\n"
        '    start(["FulfilOrder<br/>order-17<br/>running"])\n'
        '    s0["✓ reserve<br/>1.2 s"]:::completed\n'
        '    s1["↻ charge<br/>order-17 · ↻ 2/6 · 1.2 s<br/>'
        'attempt 3 in 4 s: HTTPStatusError: POST http#58;//bank/charges answered 503"]:::backing_off\n'
        "    start --> s0\n"
        "    s0 --> s1\n"
        "    classDef completed fill:#009E73,stroke:#fff,color:#fff\n"
        "    classDef backing_off fill:#E69F00,stroke:#000,color:#000,stroke-dasharray:5 3\n"
    )


def test_mermaid_folds_fan_outs_and_ends_where_the_run_did() -> None:
    """A folded fan-out has its counts, and a closed run its end."""
    many = [step(number, "charge", 4, 50) for number in range(5, 44)]
    failed = step(44, "charge", 4, 50, state="failed", error=Error(type="CardDeclined", message="no funds"))
    assert mermaid(a_run(*many, failed, status="failed")) == (
        "flowchart TD\n"
        '    start(["FulfilOrder<br/>order-17<br/>failed"])\n'
        '    s0["✗ charge \N{MULTIPLICATION SIGN} 40<br/>39 completed, 1 failed · 1.2 s<br/>'
        'CardDeclined: no funds"]:::failed\n'
        "    start --> s0\n"
        '    stop(["✗ failed · 4 min 10 s"]):::failed\n'
        "    s0 --> stop\n"
        "    classDef failed fill:#D55E00,stroke:#fff,color:#fff\n"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('say "hi" <b>now</b> & go', "say #34;hi#34; #60;b#62;now#60;/b#62; #38; go"),
        ("1. first - then", "1#46; first #45; then"),
        ("__init__ and snake_case", "#95;#95;init#95;#95; and snake_case"),
        ("%%{init: {}}%% `x` #35;", "#37;#37;#123;init: #123;#125;#125;#37;#37; #96;x#96; #35;35#59;"),
        ("fa:fa-car $$x$$", "fa#58;#8288;fa-car #36;#8288;#36;#8288;x#36;#8288;#36;#8288;"),
        ("a\nb\x1b[31mc\u202ed", "a b#91;31mcd"),
        ("日本語 für ñ", "日本語 für ñ"),
    ],
)
def test_mermaid_shows_any_name_as_it_is(name: str, shown: str) -> None:
    """Whatever Mermaid would take for Markdown, HTML, a directive, an icon or a formula is encoded."""
    assert f'    s0["✓ {shown}<br/>1.2 s"]:::completed\n' in mermaid(a_run(step(5, name, 4, 10)))


SVG = "{http://www.w3.org/2000/svg}"
EVERY_STATE: list[State] = [
    "scheduled",
    "running",
    "backing_off",
    "waiting",
    "paused",
    "cancel_requested",
    "completed",
    "failed",
    "timed_out",
    "cancelled",
    "terminated",
    "abandoned",
    "parked",
    "pending",
    "skipped",
    "upstream_failed",
]
EVERY_KIND: list[Kind] = [
    "activity",
    "local_activity",
    "child_workflow",
    "timer",
    "wait",
    "signal",
    "update",
    "external_signal",
    "external_cancel",
    "nexus_operation",
    "branch",
]


def test_svg_is_a_document_of_its_own() -> None:
    """The SVG is well-formed and holds no script, no reference to anything outside, and nothing unescaped."""
    hostile = '<script>alert("1")</script> & \x1b[31m\u202e]]>'
    kinds = [
        step(5 + number, hostile, 4, None, kind=kind, summary=hostile, waiting_for=hostile, workflow_id=hostile)
        for number, kind in enumerate(EVERY_KIND)
    ]
    text = svg(a_run(*kinds, workflow_id=hostile, type=hostile, problems=(hostile,), waiting_for=hostile))
    root = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "style", "defs", "marker", "path", "g", "rect", "circle", "text")
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    assert re.findall(r"(?:https?:|url\()[^)\" ]*", text) == ["http://www.w3.org/2000/svg"] + ["url(#tip"] * len(
        re.findall("marker-end", text)
    )
    assert "@import" not in text
    assert "\x1b" not in text


def test_svg_shows_each_state_by_colour_and_sign_and_outline() -> None:
    """Each state has its colour and its sign; what is open and not being worked on has a dashed outline."""
    looks: dict[State, tuple[str, str, bool]] = {}
    for state in EVERY_STATE:
        card = ElementTree.fromstring(svg(a_run(step(5, "charge", 4, None, state=state))))
        [box] = [group for group in card.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
        outline, sign = box.find(f"{SVG}rect"), box.find(f"{SVG}g/{SVG}path")
        assert outline is not None
        assert sign is not None
        looks[state] = (outline.attrib["stroke"], sign.attrib["d"], "stroke-dasharray" in outline.attrib)
    dashed = {state for state, look in looks.items() if look[2]}
    assert set(EVERY_STATE) == set(get_args(State))
    assert dashed == {"scheduled", "backing_off", "waiting", "paused", "parked", "cancel_requested", "pending"}
    alike: list[tuple[State, State]] = [
        ("completed", "failed"),
        ("running", "backing_off"),
        ("scheduled", "waiting"),
        ("pending", "skipped"),
        ("skipped", "upstream_failed"),
        ("failed", "parked"),
    ]
    for one, other in alike:
        assert looks[one][1] != looks[other][1]
    assert len(set(looks.values())) >= 12


def test_svg_cuts_what_is_long_and_keeps_it_in_the_tooltip() -> None:
    """A name or an error that does not fit is cut in the box, and whole in its tooltip."""
    name, error = "charge_the_card_of_the_customer_" * 4, "x" * 150
    failed = step(5, name, 4, 10, state="failed", error=Error(type="Declined", message=error), attempts=6)
    root = ElementTree.fromstring(svg(a_run(failed, status="failed")))
    [card] = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    tooltip = card.findtext(f"{SVG}title")
    assert tooltip == f"{name}\nfailed · activity {name}-5\n↻ 6\nDeclined: {error}"
    shown = [element.text or "" for element in card.iter(f"{SVG}text")]
    assert all(len(text) <= 48 for text in shown)
    assert shown[0].endswith("…")
    assert shown[-1].endswith("…")


def test_svg_of_a_run_without_steps_tells_why() -> None:
    """A run that has not begun still has a picture, with what it waits for."""
    text = svg(a_run(waiting_for="a worker on task queue 'orders' (none polls it)"))
    root = ElementTree.fromstring(text)
    assert [element.text for element in root.iter(f"{SVG}text")] == [
        "FulfilOrder · order-17",
        "running · 4 min 10 s · 42 events",
        "waits for a worker on task queue 'orders' (none polls it)",
    ]


def declared_steps(state: str) -> tuple[DeclaredStep, ...]:
    kinds: list[dict[str, Any]] = [
        {"name": "reserve", "state": "completed"},
        {"name": "scan", "mapped": True, "before": ("reserve",), "state": state},
        {"name": "size", "kind": "function", "branch": True, "before": ("scan",), "state": "failed", "error": "X: no"},
        {"name": "audit", "kind": "child_workflow", "before": ("size",), "state": "pending", "when": Rule.ALL_DONE},
        {"name": "free", "before": ("reserve", "scan", "size", "audit"), "teardown_of": ("reserve",)},
    ]
    fields: dict[str, Any] = {"kind": "activity", "when": Rule.ALL_SUCCEEDED, "state": "pending"}
    return tuple(DeclaredStep(**{**fields, "id": said["name"], **said}) for said in kinds)


def test_mermaid_of_a_graph_says_what_is_to_come() -> None:
    """Steps of a graph have its edges, dotted where nothing has gone; also what left no event is drawn."""
    items = [dataclasses.replace(step(11 + n, "scan_page", 10, 20), id=f"scan[{n}]") for n in range(2)]
    first = dataclasses.replace(step(5, "reserve", 4, 10), id="reserve")
    graph = declared_steps("running")
    found = a_run(first, *items, graphs=(graph,))
    assert mermaid(found) == (
        "flowchart TD\n"
        '    start(["FulfilOrder<br/>order-17<br/>running"])\n'
        '    s0["✓ reserve<br/>1.2 s"]:::completed\n'
        '    s1["▶ scan \N{MULTIPLICATION SIGN} 2<br/>scan_page · for each item · 1.2 s"]:::running\n'
        '    s2{"✗ size<br/>branch<br/>X: no"}:::failed\n'
        '    s3[["┄ audit<br/>child · ALL_DONE"]]:::pending\n'
        '    s4["┄ free<br/>teardown of reserve"]:::pending\n'
        "    start --> s0\n"
        "    s0 --> s1\n"
        "    s1 --> s2\n"
        "    s2 -.-> s3\n"
        "    s3 -.-> s4\n"
        "    classDef completed fill:#009E73,stroke:#fff,color:#fff\n"
        "    classDef running fill:#0072B2,stroke:#fff,color:#fff\n"
        "    classDef failed fill:#D55E00,stroke:#fff,color:#fff\n"
        "    classDef pending fill:#B6BCC4,stroke:#000,color:#000,stroke-dasharray:5 3\n"
    )
    assert count(found) == 6


def test_what_a_closed_run_never_began_is_abandoned() -> None:
    """Of a run that was terminated nothing is to come any more; a graph of which nothing was observed is drawn too."""
    closed = a_run(status="terminated", graphs=((), declared_steps("pending")))
    assert re.findall(r":::(\w+)", mermaid(closed)) == [
        "completed", "abandoned", "failed", "abandoned", "abandoned", "terminated",
    ]  # fmt: skip
    assert len(ElementTree.fromstring(svg(closed)).findall(f".//{SVG}g/{SVG}title")) == 5
    assert mermaid(a_run(graphs=((),))) == mermaid(a_run())


def test_many_to_many_goes_through_a_knot() -> None:
    """Where all of many lead to all of many there is a line for each, not for each pair."""
    edges = [(u, v) for u in range(40) for v in range(40, 80)]
    drawn, knots = knotted(edges, 80)
    assert (len(drawn), knots) == (80, 1)
    few, knots = knotted(edges, 80, [(0, 40)])
    assert ((0, 40) in few, len(few), knots) == (True, 1 + 39 + 40 + 39, 1)
    assert knotted([(0, 2), (1, 2), (0, 3), (1, 3)], 4) == ([(0, 2), (0, 3), (1, 2), (1, 3)], 0)
    steps = [step(5 + n, f"a{n}", 4, 100) for n in range(40)] + [step(101 + n, f"b{n}", 100, 200) for n in range(40)]
    assert mermaid(a_run(*steps)).count(" --- ") == 40


def test_a_run_of_thousands_of_steps_is_drawn_quickly() -> None:
    """Thousands of steps, and hundreds of names that cannot be folded, are drawn in seconds of CPU."""
    begin = time.process_time()
    long = [step(10 * n + 1, f"step_{n % 300}", 10 * n, 10 * n + 10) for n in range(3000)]
    wide = [step(n + 1, f"a{n}", 0, 10_000) for n in range(200)]
    wide += [step(n + 10_001, f"b{n}", 10_000, 20_000) for n in range(200)]
    for steps in (long, wide):
        svg(a_run(*steps))
        mermaid(a_run(*steps))
    assert time.process_time() - begin < 10


@st.composite
def _graphs(draw: st.DrawFn) -> tuple[list[Box], list[tuple[int, int]]]:
    count = draw(st.integers(1, 14))
    boxes = [Box(draw(st.floats(20, 300)), draw(st.floats(20, 90))) for _ in range(count)]
    pairs = [(u, v) for v in range(count) for u in range(v)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    return boxes, edges


@given(_graphs())
def test_no_two_boxes_overlap_and_every_edge_leads_down(graph: tuple[list[Box], list[tuple[int, int]]]) -> None:
    """In any graph boxes keep their distance and stay on the page, and each route leads down past all other boxes."""
    boxes, edges = graph
    layout = laid_out(boxes, edges, gap=20, layer_gap=30)
    for number, one in enumerate(boxes):
        assert one.x - one.width / 2 >= -0.01
        assert one.x + one.width / 2 <= layout.width + 0.01
        assert 0 <= one.y <= one.y + one.height <= layout.height + 0.01
        for other in boxes[number + 1 :]:
            beside = abs(one.x - other.x) >= (one.width + other.width) / 2 + 20 - 0.01
            assert beside or one.y != other.y
            assert one.y == other.y or one.y + one.height < other.y or other.y + other.height < one.y
    for (u, v), route in zip(edges, layout.routes, strict=True):
        assert route[0] == (boxes[u].x, boxes[u].y + boxes[u].height)
        assert route[-1] == (boxes[v].x, boxes[v].y)
        assert [y for _, y in route] == sorted(y for _, y in route)
        assert all(math.isfinite(x) for x, _ in route)
        # Straight through a layer, a route passes clear of every box.
        for (x, top), (_, bottom) in zip(route[1:-1:2], route[2:-1:2], strict=True):
            for box in boxes:
                if top <= box.y < bottom:
                    assert abs(x - box.x) > box.width / 2
