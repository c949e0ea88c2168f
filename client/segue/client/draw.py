"""A run as a graph of the order that was observed, and as it was declared: Mermaid text, and a self-contained SVG.

    found = await segue.client.run(client.get_workflow_handle("order-17"))
    Path("order-17.svg").write_text(svg(found))

Steps that ran beside each other stand side by side; fan-outs and loops are folded into one box with a count. How the
order is found, and what it cannot tell, is in `segue.client._order`. Where `Run.graphs` tells what the run declared,
its steps have the edges that were declared, and those still to come are drawn as well: dashed lines lead to them.
"""

from __future__ import annotations

import re
from typing import Final

from segue.client._drawn import drawn
from segue.client._labels import COLOURS, beginnings, closing, dashed, endings
from segue.client._order import knotted
from segue.client._picture import declared_svg, svg
from segue.client.records import Kind, Run
from segue.client.wording import SYMBOLS, TIMES, duration, one_line, state
from segue.workflows.graph.drawing import mermaid as declared_mermaid

__all__ = ["count", "declared_mermaid", "declared_svg", "mermaid", "svg"]

_SHAPES: Final[dict[Kind, tuple[str, str]]] = {
    "activity": ("[", "]"),
    "local_activity": ("[", "]"),
    "child_workflow": ("[[", "]]"),
    "timer": ("([", "])"),
    "wait": ("([", "])"),
    "signal": ("{{", "}}"),
    "update": ("{{", "}}"),
    "external_signal": ("{{", "}}"),
    "external_cancel": ("{{", "}}"),
    "nexus_operation": ("[[", "]]"),
    "branch": ("{", "}"),
}

_NAME_LIMIT: Final = 48
_NOTE_LIMIT: Final = 72


def mermaid(run: Run) -> str:
    """Return a run as a Mermaid flowchart: its steps in the order that was observed, its graphs as declared."""
    shown = drawn(run)
    found = shown.order
    lines = ["flowchart TD", f'    start(["{_lines(run.type, run.workflow_id, state(run.status))}"])']
    used = {words.step.state for words in shown.labels}
    for number, words in enumerate(shown.labels):
        left, right = _SHAPES[words.step.kind]
        name = f"{SYMBOLS[words.step.state][0]} {words.name}"
        text = _lines(name, " · ".join(filter(None, (words.said, words.lasted))), words.note)
        lines.append(f'    s{number}{left}"{text}"{right}:::{words.step.state}')
    lines += [f"    start --> s{number}" for number in beginnings(found)]
    edges, knots = knotted(found.edges, len(found.groups), shown.faint)
    knot_numbers = range(len(found.groups), len(found.groups) + knots)
    lines += [f"    s{number}(( ))" for number in knot_numbers]
    arrows = {True: "-.->", False: "-->"}
    lines += [f"    s{u} {'---' if v in knot_numbers else arrows[(u, v) in shown.faint]} s{v}" for u, v in edges]
    lines += [f"    s{u} -.-> s{v}" for u, v in found.loops]
    if (end := closing(run)) is not None:
        used.add(end)
        lines.append(
            f'    stop(["{_lines(f"{SYMBOLS[end][0]} {state(run.status)} · {duration(run.duration)}")}"]):::{end}'
        )
        lines += [f"    s{number} --> stop" for number in endings(found)] or ["    start --> stop"]
    for which, colour in COLOURS.items():
        if which in used:
            # Each colour bears one of black and white text, on a page of either.
            text = "#fff" if which in ("running", "completed", "failed", "timed_out", "terminated") else "#000"
            dash = ",stroke-dasharray:5 3" if dashed(which) else ""
            lines.append(f"    classDef {which} fill:{colour},stroke:{text},color:{text}{dash}")
    return "\n".join(lines) + "\n"


def count(run: Run) -> int:
    """Return how many steps a drawing of a run shows, each of those that are folded counted."""
    return sum(len(group.steps) for group in drawn(run).order.groups)


def _lines(name: str, *notes: str) -> str:
    shown = [one_line(name, _NAME_LIMIT), *(one_line(note, _NOTE_LIMIT) for note in notes)]
    return "<br/>".join(_quoted(line) for line in shown if line)


def _quoted(text: str) -> str:
    """Return text as Mermaid shows it unchanged: what could be Markdown, HTML, a directive or an icon is encoded."""
    # Mermaid looks for formulas and icons after it has decoded, so that these must be broken up as well.
    text = re.sub(r"\$|:(?=fa-)", lambda found: f"{found[0]}{_WORD_JOINER}", text)
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", text)


_WORD_JOINER: Final = "\u2060"


# Letters, digits and a few signs are safe; of these an underscore only within a word, where it is no emphasis, a full
# stop and a dash where they begin no list, a colon where it names no icon and no scheme.
_UNSAFE: Final = re.compile(
    rf"[^\w ,/()'=·…{TIMES}{''.join(sign for sign, _ in SYMBOLS.values())}.:-]"
    r"|(?<![^\W_])_|_(?![^\W_])|[.-](?= )|:(?! )"
)
