"""The edges of a graph, by number: what stands before and after each step.

Built once when the graph is checked; everything is a list in the order of declaration, so that a replay takes the same
way. The edges of teardowns come in two kinds: those that were declared, and those that follow from what a teardown is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from segue.workflows.graph.step import Declaration, Step, is_step, references

__all__ = ["Plan"]


class Plan:
    """The steps of a graph and the edges between them, by the steps' numbers.

    Attributes:
        steps: What was declared of each.
        before: Steps whose end a step takes notice of, each once.
        after: The converse.
        setups: Of a teardown, the steps that it clears up after.
        leaves: Steps that decide whether the graph failed: those after which there is none but teardowns.
    """

    def __init__(self, steps: Sequence[Step[Any]]) -> None:
        self.steps: list[Declaration] = [step.declaration for step in steps]
        count = len(self.steps)
        self.setups = [self._own(step, step.teardown_of) for step in self.steps]
        # A reference to a step of another graph, or to what is no step, is a problem that `check` names, and no edge.
        self.before = [
            _unique([*self._own(step, references(step.args)), *self._own(step, step.after), *self.setups[step.index]])
            for step in self.steps
        ]
        self.after = self._converse()
        declared = [self.descendants([index]) if step else [] for index, step in enumerate(self._is_setup())]
        for index in range(count):
            for setup in self.setups[index]:
                self.before[index] += [
                    one for one in declared[setup] if one != index and self._outlived_by(one, index, declared)
                ]
            self.before[index] = _unique(self.before[index])
        self.after = self._converse()
        self.leaves = [
            index
            for index, step in enumerate(self.steps)
            if not step.teardown_of and all(self.steps[one].teardown_of for one in self.after[index])
        ]

    def descendants(self, roots: Iterable[int]) -> list[int]:
        """Return the steps that follow from others, nearest first, a root only if it follows too.

        What follows only from a teardown, which can be no more than other teardowns, is left out.
        """
        seen = [False] * len(self.steps)
        found: list[int] = []
        queue = deque(roots)
        while queue:
            for index in self.after[queue.popleft()]:
                if not seen[index]:
                    seen[index] = True
                    found.append(index)
                    if not self.steps[index].teardown_of:
                        queue.append(index)
        return found

    def is_setup(self, index: int) -> bool:
        """Whether a teardown clears up after the step."""
        return any(index in self.setups[one] for one in self.after[index])

    def cycle(self) -> list[int]:
        """Return the steps of one cycle in their order; empty if there is none."""
        waiting = [len(before) for before in self.before]
        ready = deque(index for index, count in enumerate(waiting) if not count)
        while ready:
            for index in self.after[ready.popleft()]:
                waiting[index] -= 1
                if not waiting[index]:
                    ready.append(index)
        trail: list[int] = []
        stuck = [index for index, count in enumerate(waiting) if count]
        # What still waits has something before it that waits too: going back must come round.
        while stuck:
            if (index := stuck[0]) in trail:
                return trail[trail.index(index) :][::-1]
            trail.append(index)
            stuck = [one for one in self.before[index] if waiting[one]]
        return []

    def _own(self, step: Declaration, others: Iterable[Any]) -> list[int]:
        return [one.declaration.index for one in others if is_step(one) and one.declaration.graph is step.graph]

    def _converse(self) -> list[list[int]]:
        after: list[list[int]] = [[] for _ in self.steps]
        for index, before in enumerate(self.before):
            for one in before:
                after[one].append(index)
        return after

    def _is_setup(self) -> list[bool]:
        found = [False] * len(self.steps)
        for setups in self.setups:
            for setup in setups:
                found[setup] = True
        return found

    def _outlived_by(self, one: int, teardown: int, declared: list[list[int]]) -> bool:
        """Whether a teardown waits for a step that follows from its setup.

        For work it does. For another teardown only if that one's setup was built on its own: what was put up last is
        taken down first, and what was put up side by side is taken down side by side.
        """
        if not self.setups[one]:
            return True
        mine = self.setups[teardown]
        return not any(setup in mine for setup in self.setups[one]) and any(
            setup in declared[own] for setup in self.setups[one] for own in mine
        )


def _unique(indices: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(indices))
