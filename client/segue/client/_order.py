"""The order that was observed among the steps of a run, with fan-outs and loops folded.

Steps depend on each other in the workflow's code, which nobody sees from outside. What history shows is cause and
effect: a workflow task saw some steps end, and scheduled others. From that the order is drawn:

1. A step follows those whose end was seen by the workflow task that scheduled it; in a handler, those of that handler.
2. Of folded steps only what explains all of them counts: branches that run beside each other are often seen at once.
3. A step whose end led to nothing at once, as all but the last of a gather, leads to what was scheduled when the last
   of its siblings ended, or else to what was next scheduled with nothing open.
4. What follows through others is not said again: the order is transitively reduced.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import Final

from segue.client._fanned import fan_out_of
from segue.client.records import OPEN, FanOut, Kind, State, Step
from segue.client.wording import is_shown

__all__ = ["Group", "Order", "groups", "knotted", "order"]

# As many steps of one name, scheduled while something was always open, are one fan-out.
_FAN_OUT: Final = 4

# With more groups than this, repetitions are folded too, wherever they stand: nobody reads the twentieth.
_MOST_GROUPS: Final = 24
_LOOP: Final = 3

# The state of a group is that of its most telling step.
_TELLING: Final[tuple[State, ...]] = (
    "failed",
    "timed_out",
    "terminated",
    "parked",
    "backing_off",
    "paused",
    "cancel_requested",
    "running",
    "scheduled",
    "waiting",
    "abandoned",
    "cancelled",
    "completed",
    "upstream_failed",
    "pending",
    "skipped",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """One step, or many of one name and kind that are shown as one."""

    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The name of its steps."""
        return self.steps[0].name

    @property
    def kind(self) -> Kind:
        """The kind of its steps."""
        return self.steps[0].kind

    @property
    def telling(self) -> Step:
        """The step that most needs to be looked at. Of a fan-out whose items failed in a batch it has failed too."""
        step = min(self.steps, key=lambda step: _TELLING.index(step.state))
        fan_out = self.fan_out
        failed = fan_out is not None and fan_out.failed > 0 and step.state == "completed"
        return dataclasses.replace(step, state="failed") if failed else step

    @property
    def fan_out(self) -> FanOut | None:
        """The fan-out whose items its steps carry, as far as they tell."""
        return fan_out_of(self.steps)

    @property
    def counts(self) -> dict[State, int]:
        """How many of its steps are in each state, the most first."""
        counts: dict[State, int] = {}
        for step in self.steps:
            counts[step.state] = counts.get(step.state, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    @property
    def duration(self) -> timedelta:
        """From the first step's schedule to the last one's end, or until now."""
        first = min(step.scheduled_time for step in self.steps)
        return max(step.scheduled_time + step.duration for step in self.steps) - first


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Groups and what follows what, as pairs of indices into them.

    Attributes:
        groups: In the order of their first events.
        edges: An earlier group and a later one that followed from it.
        loops: A later group and an earlier one whose further steps followed from it.
    """

    groups: tuple[Group, ...]
    edges: tuple[tuple[int, int], ...]
    loops: tuple[tuple[int, int], ...]


def groups(steps: Iterable[Step], most: int = _MOST_GROUPS) -> list[Group]:
    """Return the steps in the order of their first events, with fan-outs folded, and loops if there are many groups."""
    ordered = sorted(steps, key=lambda step: step.scheduled_event_id)
    barriers = _barriers(ordered)

    def phase(step: Step) -> int:
        return bisect.bisect(barriers, step.scheduled_task or step.scheduled_event_id)

    # What is not shown holds together what ran while it was open all the same.
    units: list[tuple[Step, ...]] = [(step,) for step in ordered if is_shown(step)]
    # A fan-out is one, however its items travel and whatever else ends meanwhile.
    one_each = _fold(units, lambda step: _alike(step) or step.scheduled_event_id, 1)
    folded = _fold(one_each, lambda step: _alike(step) or (step.kind, step.name, phase(step)), _FAN_OUT)
    if len(folded) > most:
        folded = _fold(folded, lambda step: _alike(step) or (step.kind, step.name), _LOOP)
    return [Group(tuple(sorted(members, key=lambda step: step.scheduled_event_id))) for members in folded]


def _alike(step: Step) -> object:
    """Return what the steps of a fan-out have in common; None for any other step."""
    return ("fan-out", step.items.fan_out) if step.items is not None else None


def order(steps: Iterable[Step]) -> Order:
    """Return the observed order of steps."""
    found = groups(steps)
    edges, loops = _Tasks(found).relations()
    return Order(tuple(found), edges, loops)


def knotted(
    edges: Sequence[tuple[int, int]], first: int, apart: Collection[tuple[int, int]] = ()
) -> tuple[list[tuple[int, int]], int]:
    """Return edges to draw, and how many knots they need, numbered from the first number given.

    Where many end and many begin, all lead to all. Through a knot that is a line for each, not for each pair. Edges
    that are to be kept apart, for they look unlike others, go through none.
    """
    upper: dict[int, set[int]] = {}
    kept = [edge for edge in edges if edge in apart]
    for u, v in edges:
        if (u, v) not in apart:
            upper.setdefault(v, set()).add(u)
    alike: dict[frozenset[int], list[int]] = {}
    for v, before in upper.items():
        alike.setdefault(frozenset(before), []).append(v)
    drawn: list[tuple[int, int]] = []
    knots = 0
    for causes, effects in alike.items():
        if len(causes) * len(effects) > len(causes) + len(effects):
            knot, knots = first + knots, knots + 1
            drawn += [(u, knot) for u in causes] + [(knot, v) for v in effects]
        else:
            drawn += [(u, v) for u in causes for v in effects]
    return sorted([*drawn, *kept]), knots


def _fold(units: list[tuple[Step, ...]], key: Callable[[Step], object], least: int) -> list[tuple[Step, ...]]:
    alike: dict[object, list[int]] = {}
    for index, unit in enumerate(units):
        alike.setdefault(key(unit[0]), []).append(index)
    merged = {members[0]: members for members in alike.values() if len(members) >= least}
    gone = {index for members in merged.values() for index in members[1:]}
    return [
        tuple(step for member in merged.get(index, [index]) for step in units[member])
        for index in range(len(units))
        if index not in gone
    ]


def _barriers(steps: Iterable[Step]) -> list[int]:
    """Return the workflow tasks that scheduled something when nothing else was open, in order."""
    ends: dict[int, float] = {}
    for step in steps:
        if step.scheduled_task is not None:
            end = math.inf if step.observed_task is None else step.observed_task
            ends[step.scheduled_task] = max(end, ends.get(step.scheduled_task, 0))
    barriers: list[int] = []
    open_until = 0.0
    for task in sorted(ends):
        if open_until <= task:
            barriers.append(task)
        open_until = max(open_until, ends[task])
    return barriers


class _Tasks:
    """The steps of groups by the workflow tasks that scheduled them and that saw their ends."""

    def __init__(self, found: Sequence[Group]) -> None:
        self.groups = found
        self.index = {step.scheduled_event_id: number for number, group in enumerate(found) for step in group.steps}
        self.steps = sorted((step for group in found for step in group.steps), key=lambda s: s.scheduled_event_id)
        self.scheduled: dict[int, list[Step]] = {}
        self.observed: dict[int, list[Step]] = {}
        for step in self.steps:
            if step.scheduled_task is not None:
                self.scheduled.setdefault(step.scheduled_task, []).append(step)
            if step.observed_task is not None and step.observed_task != step.scheduled_task:
                self.observed.setdefault(step.observed_task, []).append(step)
        self.follows: list[set[int]] = [set() for _ in found]
        # For each group, what each workflow task that scheduled some of its steps had seen end.
        self.causes: list[set[tuple[int, frozenset[int]]]] = [set() for _ in found]

    def relations(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        for task, steps in self.scheduled.items():
            self._caused(task, steps)
        for effect, seen in enumerate(self.causes):
            for cause in _explaining([causes for _, causes in seen]) - {effect}:
                self.follows[cause].add(effect)
        barriers = _barriers(self.steps)
        for number, group in enumerate(self.groups):
            # To lead back to an earlier turn of a loop is not to lead on.
            leads_on = any(later > number for later in self.follows[number])
            if not leads_on and not any(step.state in OPEN for step in group.steps):
                self.follows[number] |= self._joined(number, barriers)
        for number, group in enumerate(self.groups):
            if group.kind == "wait" and group.steps[0].closed_event_id is None:
                # Nothing else is open when code waits, so all that ended before leads to it.
                for other in range(number):
                    if not any(later > other for later in self.follows[other]):
                        self.follows[other].add(number)
        loops = tuple((u, v) for u, later in enumerate(self.follows) for v in sorted(later) if v < u)
        return tuple(_reduced([{v for v in later if v > u} for u, later in enumerate(self.follows)])), loops

    def _caused(self, task: int, steps: list[Step]) -> None:
        """Relate what a task scheduled to what it had seen end."""
        by_parent: dict[int | None, set[int]] = {}
        for step in self.observed.get(task, ()):
            for parent in {None, step.parent_event_id, step.scheduled_event_id}:
                by_parent.setdefault(parent, set()).add(self.index[step.scheduled_event_id])
        levels = _levels([step for step in steps if step.observed_task == task])
        before: set[int] = set()
        for level in levels:
            for step in level:
                self._relate(task, before or self._causes(step, by_parent), step)
            before = {self.index[step.scheduled_event_id] for step in level}
        for step in steps:
            if step.observed_task != task:
                # A local activity whose marker stands before a command was done when the command was given.
                earlier = (level for level in reversed(levels) if level[0].scheduled_event_id < step.scheduled_event_id)
                before = {self.index[local.scheduled_event_id] for local in next(earlier, ())}
                self._relate(task, before or self._causes(step, by_parent), step)

    def _causes(self, step: Step, by_parent: dict[int | None, set[int]]) -> set[int]:
        causes = by_parent.get(step.parent_event_id)
        if causes is None and step.parent_event_id in self.index:
            causes = {self.index[step.parent_event_id]}
        return causes or set()

    def _relate(self, task: int, causes: set[int], step: Step) -> None:
        if causes:
            self.causes[self.index[step.scheduled_event_id]].add((task, frozenset(causes)))

    def _joined(self, number: int, barriers: list[int]) -> set[int]:
        """Return the groups that a group leads to which led to nothing at once."""
        members = self.groups[number].steps
        tasks = {step.scheduled_task for step in members if step.scheduled_task is not None}
        siblings = {self.index[s.scheduled_event_id] for task in tasks for s in self.scheduled[task]} | {number}
        ends = [step.observed_task for sibling in siblings for step in self.groups[sibling].steps]
        last = max((end for end in ends if end is not None), default=0)
        if tasks and None not in ends and (joined := self._groups_of(last) - siblings):
            return joined
        if members[0].kind in ("signal", "update") or members[0].parent_event_id is not None:
            return set()
        own = max((step.observed_task or 0 for step in members), default=0)
        barrier = next((task for task in barriers if own and task > own), None)
        return self._groups_of(barrier) - {number} if barrier is not None else set()

    def _groups_of(self, task: int) -> set[int]:
        return {self.index[step.scheduled_event_id] for step in self.scheduled.get(task, ())}


def _levels(local: list[Step]) -> list[list[Step]]:
    """Return the local activities of one workflow task, those that ran beside each other together."""
    levels: list[list[Step]] = []
    for step in sorted(local, key=lambda step: step.scheduled_time):
        if levels and any((other.closed_time or step.scheduled_time) > step.scheduled_time for other in levels[-1]):
            levels[-1].append(step)
        else:
            levels.append([step])
    return levels


def _explaining(seen: Sequence[frozenset[int]]) -> set[int]:
    """Return the causes that explain every effect: those that were always seen, or else the most frequent first."""
    chosen: set[int] = set()
    left: list[frozenset[int]] = list(seen)
    if left and (always := left[0].intersection(*left[1:])):
        return set(always)
    while left:
        candidates = sorted({cause for causes in left for cause in causes})
        best = max(candidates, key=lambda cause: sum(cause in causes for causes in left))
        chosen.add(best)
        left = [causes for causes in left if best not in causes]
    return chosen


def _reduced(follows: list[set[int]]) -> Iterable[tuple[int, int]]:
    """Yield the pairs of a relation from lower to higher numbers that do not follow from others."""
    reach = [0] * len(follows)
    kept: list[tuple[int, int]] = []
    for u in range(len(follows) - 1, -1, -1):
        for v in sorted(follows[u]):
            if not reach[u] >> v & 1:
                kept.append((u, v))
                reach[u] |= reach[v] | 1 << v
    return sorted(kept)
