"""What is drawn of a run: the order that was observed, and its graphs as they were declared.

Of what a run declared nothing need be guessed: its steps have the edges that it says, those that are still to come too.
Around it the rest of the run stands in the order that was observed, where a whole graph counts as one step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from segue.client._labels import Label, label
from segue.client._order import Group, Order, order
from segue.client.records import Error, Kind, Run, State, Step
from segue.workflows.graph.drawing import edges, notes
from segue.workflows.graph.shown import DeclaredStep

__all__ = ["Drawn", "as_declared", "drawn"]

# Nothing went along an edge from or to one of these.
_UNTAKEN: Final[frozenset[State]] = frozenset({"pending", "skipped", "upstream_failed"})

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn.

    Attributes:
        order: The boxes' groups and the edges between them.
        labels: The words of each box.
        faint: Edges along which nothing has gone so far.
        within: Boxes of graphs, all but the first of each: what came beside a graph stands beside its first.
    """

    order: Order
    labels: tuple[Label, ...]
    faint: frozenset[tuple[int, int]] = frozenset()
    within: frozenset[int] = frozenset()


def drawn(run: Run) -> Drawn:
    """Return what is drawn of a run."""
    run = dataclasses.replace(run, graphs=tuple(graph for graph in run.graphs if graph))
    if not run.graphs:
        found = order(run.steps)
        return Drawn(found, tuple(label(group) for group in found.groups))
    members, others = _members(run)
    stand_ins = [_stand_in(run, number, steps) for number, steps in enumerate(members)]
    stands_for = {step.id: number for number, step in enumerate(stand_ins)}
    found = order([*others, *stand_ins])
    groups: list[Group] = []
    labels: list[Label] = []
    inner: list[tuple[int, int]] = []
    within: set[int] = set()
    # Which boxes a group is entered by, and left by: for what stands for a graph those without any before or after.
    entries: list[list[int]] = []
    exits: list[list[int]] = []
    for group in found.groups:
        first = len(groups)
        graph = stands_for.get(group.steps[0].id)
        if graph is None:
            groups.append(group)
            labels.append(label(group))
            entries.append([first])
            exits.append([first])
            continue
        declared = run.graphs[graph]
        for one, steps in zip(declared, members[graph], strict=True):
            box = _box(run, one, steps)
            groups.append(Group(box.steps))
            labels.append(_words(one, box))
        lines = edges(declared)
        inner += [(first + u, first + v) for u, v in lines]
        within |= set(range(first + 1, len(groups)))
        begun, left = {v for _, v in lines}, {u for u, _ in lines}
        entries.append([first + n for n in range(len(declared)) if n not in begun])
        exits.append([first + n for n in range(len(declared)) if n not in left])
    outer = [(one, other) for u, v in found.edges for one in exits[u] for other in entries[v]]
    lines = sorted({*inner, *outer})
    untaken = [words.step.state in _UNTAKEN for words in labels]
    return Drawn(
        Order(tuple(groups), tuple(lines), tuple((exits[u][0], entries[v][0]) for u, v in found.loops)),
        tuple(labels),
        frozenset((u, v) for u, v in lines if untaken[u] or untaken[v]),
        frozenset(within),
    )


def as_declared(graphs: Sequence[Sequence[DeclaredStep]]) -> Drawn:
    """Return what is drawn of graphs alone, as they were declared; faint are the edges to teardowns."""
    boxes = [one for graph in graphs for one in graph]
    groups = tuple(Group((_unobserved(one, "pending", number, _EPOCH),)) for number, one in enumerate(boxes))
    labels = tuple(_words(one, group) for one, group in zip(boxes, groups, strict=True))
    lines: list[tuple[int, int]] = []
    faint: set[tuple[int, int]] = set()
    first = 0
    for graph in graphs:
        found = [(first + u, first + v) for u, v in edges(graph)]
        lines += found
        faint |= {(u, v) for u, v in found if graph[v - first].teardown_of}
        first += len(graph)
    return Drawn(Order(groups, tuple(sorted(lines)), ()), labels, frozenset(faint))


def _members(run: Run) -> tuple[list[list[list[Step]]], list[Step]]:
    """Return what was observed of each step of each graph, and the steps that are in none."""
    members: list[list[list[Step]]] = [[[] for _ in graph] for graph in run.graphs]
    places = {one.id: (g, n) for g, graph in enumerate(run.graphs) for n, one in enumerate(graph)}
    others: list[Step] = []
    for step in run.steps:
        place = _place(run, step, places)
        if place is None:
            others.append(step)
        else:
            members[place[0]][place[1]].append(step)
    return members, others


def _place(run: Run, step: Step, places: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    if step.kind not in ("activity", "child_workflow"):
        return None
    name = step.id
    if step.kind == "child_workflow" and name not in places and name.startswith(f"{run.workflow_id}/"):
        # A child has an id of the namespace: that of its parent, its own, and a few letters that no other has.
        name = name.removeprefix(f"{run.workflow_id}/").rpartition("/")[0]
    if name not in places and name.endswith("]"):  # one item of many
        name, _, item = name[:-1].rpartition("[")
        place = places.get(name) if item.isdecimal() else None
        return place if place is not None and run.graphs[place[0]][place[1]].mapped else None
    return places.get(name)


def _stand_in(run: Run, number: int, members: Sequence[Sequence[Step]]) -> Step:
    """Return one step that stands for a whole graph in the order that was observed."""
    found = [step for steps in members for step in steps]
    ended = all(one.state not in ("pending", "running") for one in run.graphs[number])
    known = [step.observed_task for step in found if step.observed_task is not None]
    asked = [step.scheduled_task for step in found if step.scheduled_task is not None]
    first = min(found, key=lambda step: step.scheduled_event_id, default=None)
    return Step(
        # No name of an activity has a line break, so it is folded with nothing.
        id=f"graph\n{number}",
        kind="activity",
        name=f"graph\n{number}",
        summary=None,
        state="completed" if ended else "running",
        scheduled_time=first.scheduled_time if first is not None else run.start_time,
        duration=timedelta(),
        # What nothing was observed of stands behind the last event, and behind the waits that stand there.
        scheduled_event_id=first.scheduled_event_id if first is not None else run.history_length + 1000 + number,
        scheduled_task=min(asked, default=None),
        observed_task=max(known, default=None) if ended else None,
        parent_event_id=first.parent_event_id if first is not None else None,
    )


def _box(run: Run, one: DeclaredStep, steps: Sequence[Step]) -> Group:
    if not steps:
        which: State = one.state
        if not run.is_open and which in ("pending", "running"):
            which = "abandoned"
        return Group((_unobserved(one, which, run.history_length + 1, run.start_time),))
    if one.mapped:
        return Group(tuple(steps))
    last = steps[-1]  # the earlier were repaired
    return Group((dataclasses.replace(last, kind="branch") if one.branch else last,))


def _unobserved(one: DeclaredStep, state: State, event_id: int, time: datetime) -> Step:
    """Return the step that stands for a declared one of which there is no event."""
    kind: Kind = "branch" if one.branch else "child_workflow" if one.kind == "child_workflow" else "activity"
    kind_of_error, _, message = (one.error or "").partition(": ")
    return Step(
        id=one.id,
        kind=kind,
        name=one.name,
        summary=None,
        state=state,
        scheduled_time=time,
        duration=timedelta(),
        scheduled_event_id=event_id,
        error=Error(type=kind_of_error, message=message) if one.error is not None else None,
    )


def _words(one: DeclaredStep, box: Group) -> Label:
    words = label(box)
    step = words.step
    if one.mapped and one.state == "running" and step.state == "completed":
        step = dataclasses.replace(step, state="running")  # between two items
    ran = step.name if step.name != one.name and step.kind != "branch" else ""
    said = [ran, words.said, *notes(one)]
    name = one.name if not words.several else f"{one.name}{words.name.removeprefix(box.name)}"
    return dataclasses.replace(words, name=name, said=" · ".join(filter(None, said)), step=step)
