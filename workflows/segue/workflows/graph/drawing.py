"""A declared graph as Mermaid text, before anything has run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from segue.workflows.graph.rules import Rule
from segue.workflows.graph.shown import DeclaredStep

__all__ = ["edges", "mermaid", "notes"]

# What could be Markdown, HTML or Mermaid's own syntax is encoded.
_UNSAFE: Final = re.compile(r"[^\w ]|(?<![^\W_])_|_(?![^\W_])")


def mermaid(graphs: Sequence[Sequence[DeclaredStep]]) -> str:
    """Return a flowchart: activities are boxes, children have double sides, branches are diamonds.

    Dashed lines lead to teardowns, which do not count. A rule other than ALL_SUCCEEDED stands below the step's name.
    """
    lines = ["flowchart TD"]
    first = 0
    for steps in graphs:
        for number, step in enumerate(steps, first):
            left, right = ("{", "}") if step.branch else ("[[", "]]") if step.kind == "child_workflow" else ("[", "]")
            said = "<br/>".join(_quoted(note) for note in (step.name, *notes(step)))
            lines.append(f'    s{number}{left}"{said}"{right}')
        for before, after in edges(steps):
            arrow = "-.->" if steps[after].teardown_of else "-->"
            lines.append(f"    s{first + before} {arrow} s{first + after}")
        first += len(steps)
    return "\n".join(lines) + "\n"


def notes(step: DeclaredStep) -> list[str]:
    """Return what there is to say of a step besides its name."""
    said = ["for each item"] if step.mapped else []
    if step.teardown_of:
        said.append(f"teardown of {', '.join(step.teardown_of)}")
    elif step.when is not Rule.ALL_SUCCEEDED:
        said.append(step.when.name)
    return said


def edges(steps: Sequence[DeclaredStep]) -> list[tuple[int, int]]:
    """Return the edges to draw, by number: those that were declared.

    A teardown stands after all that follows from its setup; of these it is enough to draw those after which comes
    nothing else that it waits for.
    """
    numbers = {step.name: number for number, step in enumerate(steps)}
    before = [[numbers[name] for name in step.before if name in numbers] for step in steps]
    found: list[tuple[int, int]] = []
    for number, step in enumerate(steps):
        implied = _above(before, before[number]) if step.teardown_of else set[int]()
        found += [(one, number) for one in before[number] if one not in implied]
    return found


def _above(before: Sequence[Sequence[int]], steps: Sequence[int]) -> set[int]:
    """Return what stands before some steps, at any distance."""
    seen: set[int] = set()
    left = [one for step in steps for one in before[step]]
    while left:
        if (step := left.pop()) not in seen:
            seen.add(step)
            left += before[step]
    return seen


def _quoted(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", text)
