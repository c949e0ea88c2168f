"""What a graph must come to, written down from the rules' definitions: a plain model, without events, queues or tasks.

Each step takes a power of two of time units, each another, so that no two steps end together: when a step starts and
ends is a sum that can be written down, and whoever does not wait for all before it has a definite view of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from segue.workflows.graph.rules import Rule

NEED_ONE = (Rule.ALL_FAILED, Rule.ONE_SUCCEEDED, Rule.ONE_FAILED, Rule.NONE_FAILED_MIN_ONE_SUCCEEDED)


@dataclass
class Spec:
    """A step of a random graph. Steps are meant by their numbers."""

    number: int
    duration: int
    fails: bool
    when: Rule = Rule.ALL_SUCCEEDED
    takes: list[int] = field(default_factory=list[int])
    takes_outcome: list[int] = field(default_factory=list[int])
    after: list[int] = field(default_factory=list[int])
    teardown_of: list[int] = field(default_factory=list[int])
    chooses: list[int] | None = None
    items: int | None = None
    spared: int = 0
    """How many of its items do not fail where it does: the first of them."""

    @property
    def name(self) -> str:
        return f"s{self.number}"

    @property
    def declared(self) -> list[int]:
        return sorted({*self.takes, *self.takes_outcome, *self.after, *self.teardown_of})


@dataclass
class Expected:
    """What becomes of a step: its state, its result, and when it ended."""

    state: str
    result: Any
    end: float
    chosen: list[str] | None = None
    came_up: bool = False
    """Whether some of its items completed where it did not."""


class Cycle(Exception):
    """Steps wait for each other."""


def follows(specs: list[Spec], of: int) -> set[int]:
    """The steps that follow from one, by the declared edges."""
    found: set[int] = set()
    for spec in specs:
        if any(one == of or one in found for one in spec.declared):
            found.add(spec.number)
    return found


def expected(specs: list[Spec], cancelled_at: float | None = None) -> dict[str, Expected]:
    """What must become of each step; with `cancelled_at`, if the run is cancelled then."""
    found: dict[int, Expected] = {}
    for spec in specs:
        if not spec.teardown_of:
            found[spec.number] = _work(spec, specs, found)
    if cancelled_at is not None:
        for one in found.values():
            if one.end > cancelled_at:
                one.state, one.result, one.end, one.came_up = "cancelled", None, cancelled_at, False
    waits = {spec.number: _teardown_waits(spec, specs) for spec in specs if spec.teardown_of}
    while waits:
        ready = next((number for number, before in waits.items() if not before & waits.keys()), None)
        if ready is None:
            raise Cycle
        found[ready] = _teardown(specs[ready], waits.pop(ready), found)
    return {spec.name: found[spec.number] for spec in specs}


def graph_fails(specs: list[Spec], found: dict[str, Expected]) -> bool:
    """Whether the graph failed: a step with nothing but teardowns after it failed or did not start."""
    leaves = [
        spec
        for spec in specs
        if not spec.teardown_of and not any(spec.number in other.declared for other in specs if not other.teardown_of)
    ]
    return any(found[leaf.name].state in ("failed", "upstream_failed") for leaf in leaves)


def _work(spec: Spec, specs: list[Spec], found: dict[int, Expected]) -> Expected:
    before = [found[number] for number in spec.declared]
    bad = [one for one in before if one.state in ("failed", "upstream_failed")]
    good = [one for one in before if one.state == "completed"]
    skipped = [one for one in before if one.state == "skipped"]
    branches = [specs[number] for number in spec.declared if specs[number].chooses is not None]
    chosen_at = max((found[branch.number].end for branch in branches), default=0)
    all_at = max((one.end for one in before), default=0)
    first_bad, first_good = (min((one.end for one in some), default=0) for some in (bad, good))

    for branch in branches:
        kept = {one for chosen in branch.chooses or [] for one in (chosen, *follows(specs, chosen))}
        if found[branch.number].state == "completed" and spec.number not in kept:
            return Expected("skipped", None, chosen_at)

    state, at = "run", all_at
    match spec.when:
        case Rule.ALL_SUCCEEDED:
            if bad:
                state, at = "upstream_failed", first_bad
            elif skipped:
                state = "skipped"
        case Rule.ALL_FAILED:
            if good or skipped:
                state, at = "skipped", min(one.end for one in (*good, *skipped))
        case Rule.ALL_DONE:
            pass
        case Rule.ONE_SUCCEEDED:
            if good:
                at = first_good
            else:
                state = "upstream_failed" if bad else "skipped"
        case Rule.ONE_FAILED:
            if bad:
                at = first_bad
            else:
                state = "skipped"
        case Rule.NONE_FAILED:
            if bad:
                state, at = "upstream_failed", first_bad
        case Rule.NONE_FAILED_MIN_ONE_SUCCEEDED:
            if bad:
                state, at = "upstream_failed", first_bad
            elif not good:
                state = "skipped"
        case Rule.ALWAYS:
            at = 0
    at = max(at, chosen_at)
    return _run(spec, at, found) if state == "run" else Expected(state, None, at)


def _teardown_waits(spec: Spec, specs: list[Spec]) -> set[int]:
    waits = set(spec.declared)
    built_on = {one for setup in spec.teardown_of for one in follows(specs, setup)}
    for number in built_on - {spec.number}:
        other = specs[number]
        setups = set(other.teardown_of)
        if not setups or (setups & built_on and not setups & set(spec.teardown_of)):
            waits.add(number)
    return waits


def _teardown(spec: Spec, waits: set[int], found: dict[int, Expected]) -> Expected:
    at = max(found[number].end for number in waits)
    setups = [found[number].state for number in spec.teardown_of]
    if "completed" in setups or any(found[number].came_up for number in spec.teardown_of):
        return _run(spec, at, found)
    return Expected("skipped" if set(setups) == {"skipped"} else "upstream_failed", None, at)


def _run(spec: Spec, at: float, found: dict[int, Expected]) -> Expected:
    if spec.fails:
        return Expected("failed", None, at + spec.duration, came_up=bool(spec.spared))
    torn_down = [number for number in spec.teardown_of if found[number].came_up]
    got: list[Any] = [number if number in torn_down else _seen(number, found[number], at) for number in spec.takes]
    got += [found[number].state for number in spec.takes_outcome]
    result: Any = {"number": spec.number, "got": got}
    if spec.chooses is not None:
        chosen = [f"s{number}" for number in spec.chooses]
        return Expected("completed", tuple(chosen), at + spec.duration, chosen)
    if spec.items is not None:
        result = [{**result, "item": item} for item in range(spec.items)]
    return Expected("completed", result, at + spec.duration)


def _seen(number: int, one: Expected, at: float) -> Any:
    if one.state != "completed" or one.end > at:
        return None
    # Of a branch it is what it chose.
    return ",".join(one.chosen) if one.chosen is not None else number


@st.composite
def graphs(draw: st.DrawFn, *, maximum: int = 9, timed: bool = True) -> list[Spec]:
    """Random graphs. Not `timed`, nothing takes a result that depends on which step ends first."""
    count = draw(st.integers(1, maximum))
    durations = draw(st.permutations([2**power for power in range(count)]))
    specs: list[Spec] = []
    for number in range(count):
        spec = Spec(number, durations[number], fails=draw(st.integers(0, 3)) == 0)
        work = [one.number for one in specs if not one.teardown_of]
        kind = draw(st.sampled_from(["step", "step", "step", "branch", "map", "teardown"]))
        if kind == "teardown" and work:
            spec.teardown_of = draw(_some(work, least=1, most=2))
            spec.takes = draw(_some(work))
            spec.after = draw(_some(range(number)))
        else:
            spec.when = draw(st.sampled_from(list(Rule)))
            spec.takes, spec.takes_outcome, spec.after = (draw(_some(work)) for _ in range(3))
            _lawful(spec, timed)
            if kind == "branch":
                spec.chooses = []
            elif kind == "map":
                spec.items = draw(st.integers(0 if not spec.fails else 1, 3))
                if not spec.items:
                    spec.items = None
                elif spec.fails:
                    spec.spared = draw(st.integers(0, spec.items - 1))
        specs.append(spec)
    for spec in specs:
        if spec.chooses is not None:
            after = [one.number for one in specs if spec.number in one.declared and not one.teardown_of]
            spec.chooses = draw(_some(after, most=len(after))) if after else None
    return specs


def _some(numbers: Any, *, least: int = 0, most: int = 3) -> st.SearchStrategy[list[int]]:
    numbers = list(numbers)
    if not numbers:
        return st.just([])
    return st.lists(st.sampled_from(numbers), min_size=least, max_size=min(most, len(numbers)), unique=True)


def _lawful(spec: Spec, timed: bool) -> None:
    """Make a step one that `Graph.check` lets pass."""
    if spec.when is Rule.ALWAYS:
        spec.after = sorted({*spec.after, *spec.takes, *spec.takes_outcome})
        spec.takes, spec.takes_outcome = [], []
    if spec.when is Rule.ALL_FAILED:
        spec.takes_outcome, spec.takes = sorted({*spec.takes, *spec.takes_outcome}), []
    if spec.when in (Rule.ONE_SUCCEEDED, Rule.ONE_FAILED):
        # How far a step is that ends in the same moment is nobody's to say.
        spec.after, spec.takes_outcome = sorted({*spec.after, *spec.takes_outcome}), []
        if not timed:
            spec.after, spec.takes = sorted({*spec.after, *spec.takes}), []
    if spec.when in NEED_ONE and not spec.declared:
        spec.when = Rule.ALL_SUCCEEDED
