"""A declared graph as Mermaid text, before anything has run."""

from __future__ import annotations

import re
from typing import Final

from segue.workflows.graph.plan import Plan
from segue.workflows.graph.rules import Rule
from segue.workflows.graph.step import Declaration

__all__ = ["mermaid"]

# What could be Markdown, HTML or Mermaid's own syntax is encoded.
_UNSAFE: Final = re.compile(r"[^\w ]|(?<![^\W_])_|_(?![^\W_])")


def mermaid(plan: Plan) -> str:
    """Return a flowchart: activities are boxes, children have double sides, branches are diamonds.

    Dashed lines lead to teardowns, which do not count. A rule other than ALL_SUCCEEDED stands below the step's name.
    """
    lines = ["flowchart TD"]
    for step in plan.steps:
        left, right = ("{", "}") if step.branch else ("[[", "]]") if step.kind == "child_workflow" else ("[", "]")
        lines.append(f'    s{step.index}{left}"{_label(step)}"{right}')
    for index, before in enumerate(plan.before):
        arrow = "-.->" if plan.steps[index].teardown_of else "-->"
        lines += [f"    s{one} {arrow} s{index}" for one in before]
    return "\n".join(lines) + "\n"


def _label(step: Declaration) -> str:
    notes = [step.name]
    if step.mapped:
        notes.append("for each item")
    if step.teardown_of:
        notes.append("teardown")
    elif step.when is not Rule.ALL_SUCCEEDED:
        notes.append(step.when.name)
    return "<br/>".join(_UNSAFE.sub(lambda found: f"#{ord(found[0])};", note) for note in notes)
