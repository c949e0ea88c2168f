"""A run as an SVG document: boxes in the observed order, with the run's state at the head.

No script and no outside font; it follows the reader's light or dark theme. A state has a colour, and a sign and an
outline of its own for whoever does not see the colour. What does not fit is cut, and stands whole in the tooltip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from segue.client._drawn import Drawn, as_declared, drawn
from segue.client._labels import COLOURS, Label, beginnings, closing, dashed, endings
from segue.client._layout import Box, laid_out
from segue.client._order import knotted
from segue.client.records import Run, State
from segue.client.wording import duration, one_line, state
from segue.workflows.graph.shown import DeclaredStep

__all__ = ["declared_svg", "svg"]

# Signs are paths in a square of 16, for a reader's fonts may lack the symbols.
_CLOCK: Final = "M8 4.2V8l2.6 1.8"
_CROSS: Final = "M5 5l6 6M11 5l-6 6"
_DASH: Final = "M4.5 8h7"
_SIGNS: Final[dict[State, str]] = {
    "completed": "M4.4 8.3l2.5 2.5 4.8-5.4",
    "running": "M6.2 4.8l5 3.2-5 3.2z",
    "scheduled": "M4.6 8h.02M8 8h.02M11.4 8h.02",
    "waiting": _CLOCK,
    "backing_off": "M11.6 6.4A4 4 0 1 0 12 9M12 4.2v2.6H9.4",
    "paused": "M6.2 5v6M9.8 5v6",
    "parked": "M6.4 4.6v6.8M6.4 5h4v3h-4",
    "cancel_requested": _DASH,
    "failed": _CROSS,
    "timed_out": _CROSS,
    "terminated": _CROSS,
    "cancelled": _DASH,
    "abandoned": _DASH,
    "pending": "M8 8h.02",
    "skipped": "M4.6 5l3 3-3 3M8.6 5l3 3-3 3",
    "upstream_failed": _DASH,
}

_MARGIN: Final = 24.0
_GAP: Final = 28.0
_LAYER_GAP: Final = 42.0
_LEAST_WIDTH: Final = 160.0
_MOST_WIDTH: Final = 300.0
_HEAD_WIDTH: Final = 680.0
_LINE: Final = 17.0
_NOTE_LINES: Final = 3
# Room of a box beside its text: the sign before it, the border after it.
_BESIDE: Final = 48.0

_STYLE: Final = """
svg { --page: #fff; --card: #fff; --text: #1f2328; --dim: #59636e; --line: #8c959f; background: var(--page);
  color-scheme: light dark; font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --card: #161b22; --text: #e6edf3; --dim: #9198a1; --line: #6e7681; }
}
text { fill: var(--text); font-size: 12px; }
.head { font-size: 17px; font-weight: 600; }
.name { font-size: 13px; font-weight: 600; }
.dim { fill: var(--dim); }
.card { fill: var(--card); stroke-width: 1.5; }
.faint { stroke-opacity: .5; }
.tint { fill-opacity: .1; }
.sign { fill: none; stroke: #fff; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.edge { fill: none; stroke: var(--line); stroke-width: 1.4; }
.loop { stroke-dasharray: 4 4; }
.faint-edge { stroke-dasharray: 4 4; opacity: .6; }
.tip { fill: var(--line); }
"""


def svg(run: Run) -> str:
    """Return a run as an SVG document: its steps in the order that was observed, its graphs as declared."""
    shown, end = drawn(run), closing(run)
    found = shown.order
    # The start is the first box; then come the groups, the end if there is one, and the knots of edges.
    boxes = [Box(12, 12), *(_box(words) for words in shown.labels)]
    edges = [(0, number + 1) for number in beginnings(found)] + [(u + 1, v + 1) for u, v in found.edges]
    if end is not None:
        boxes.append(Box(_width(_ending(run), 12) + 42, 30))
        edges += [(number + 1, len(boxes) - 1) for number in endings(found)] or [(0, len(boxes) - 1)]
    ending = len(boxes) - 1
    faint = {(u + 1, v + 1) for u, v in shown.faint}
    edges, knots = knotted(edges, len(boxes), faint)
    boxes += [Box(_KNOT, _KNOT) for _ in range(knots)]
    layout = laid_out(boxes, edges, gap=_GAP, layer_gap=_LAYER_GAP, beside=_beside(shown))
    right = layout.width + (12 + 16 * min(len(found.loops), _LOOP_LANES) if found.loops else 0)
    parts = [
        *(
            _edge(route, tip=v <= ending, faint=(u, v) in faint)
            for (u, v), route in zip(edges, layout.routes, strict=True)
        ),
        *(f'<circle class="tip" cx="{_n(box.x)}" cy="{_n(box.y + _KNOT / 2)}" r="3"/>' for box in boxes[ending + 1 :]),
        *(
            f'<path class="edge loop" marker-end="url(#tip)" d="{path}"/>'
            for path in (_loop(boxes[u + 1], boxes[v + 1], layout.width, n) for n, (u, v) in enumerate(found.loops))
        ),
        f'<circle class="tip" cx="{_n(boxes[0].x)}" cy="{_n(boxes[0].y + 6)}" r="6"/>',
        *(_card(box, words) for box, words in zip(boxes[1:], shown.labels, strict=False)),
        _end(boxes[ending], end, _ending(run)) if end is not None else "",
    ]
    return _document(
        f"{run.type} {run.workflow_id}: {state(run.status)}",
        f"{run.type} · {run.workflow_id}",
        _head_lines(run),
        parts,
        right,
        layout.height,
    )


def declared_svg(graphs: Sequence[Sequence[DeclaredStep]], title: str, *said: str) -> str:
    """Return graphs as they were declared as an SVG document.

    Args:
        graphs: The graphs, such as that of `segue.client.declared`.
        title: What stands above them, such as the workflow's name.
        said: Lines below the title.
    """
    shown = as_declared(graphs)
    boxes = [_box(words) for words in shown.labels]
    edges, knots = knotted(shown.order.edges, len(boxes), shown.faint)
    count = len(boxes)
    boxes += [Box(_KNOT, _KNOT) for _ in range(knots)]
    layout = laid_out(boxes, edges, gap=_GAP, layer_gap=_LAYER_GAP)
    parts = [
        *(
            _edge(route, tip=v < count, faint=(u, v) in shown.faint)
            for (u, v), route in zip(edges, layout.routes, strict=True)
        ),
        *(f'<circle class="tip" cx="{_n(box.x)}" cy="{_n(box.y + _KNOT / 2)}" r="3"/>' for box in boxes[count:]),
        *(_card(box, words, plain=True) for box, words in zip(boxes, shown.labels, strict=False)),
    ]
    return _document(title, title, [(None, line) for line in said], parts, layout.width, layout.height)


def _document(
    title: str, heading: str, lines: Sequence[tuple[State | None, str]], parts: Sequence[str], right: float, down: float
) -> str:
    """Return a document with a heading above a drawing of a width and height."""
    head, top = _head(heading, lines)
    width = max(right, _head_width(heading, lines)) + 2 * _MARGIN
    # A narrow graph stands a little to the right of its heading's edge, a wide one fills the page.
    shift = max(min((width - 2 * _MARGIN - right) / 2, 60.0), 0.0)
    placed = [f'<g transform="translate({_n(_MARGIN + shift)} {_n(top)})">', *parts, "</g>"]
    across, height = _n(width), _n(top + down + _MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {height}" width="{across}" '
        f'height="{height}" role="img">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 .5L8 4L0 7.5z"/></marker></defs>\n' + "\n".join([*head, *placed]) + "\n</svg>\n"
    )


def _beside(shown: Drawn) -> dict[int, int]:
    """Return for each box of a signal or update the last of the run's own that was there when it came."""
    beside: dict[int, int] = {}
    last = 0
    for number, group in enumerate(shown.order.groups, 1):
        if group.kind in ("signal", "update"):
            beside[number] = last
        elif group.steps[0].parent_event_id is None and number - 1 not in shown.within:
            last = number
    return beside


# ---- the heading


def _head_lines(run: Run) -> list[tuple[State | None, str]]:
    now: State = closing(run) or ("paused" if run.status == "paused" else "running")
    lines: list[tuple[State | None, str]] = [(now, f"{_ending(run)} · {run.history_length} events")]
    lines.extend(("failed", f"problem: {one_line(problem, 400)}") for problem in run.problems)
    if run.waiting_for is not None:
        waits = "waits" if run.waiting_for.startswith("until ") else "waits for"
        lines.append(("waiting", f"{waits} {one_line(run.waiting_for, 400)}"))
    if run.error is not None:
        lines.append(("failed", one_line(str(run.error), 400)))
    return lines


def _head_width(heading: str, lines: Sequence[tuple[State | None, str]]) -> float:
    widths = (_width(text, 12) + (24 if which is not None else 0) for which, text in lines)
    return min(max([_width(heading, 17, bold=True), *widths]), _HEAD_WIDTH)


def _head(heading: str, lines: Sequence[tuple[State | None, str]]) -> tuple[list[str], float]:
    """Return the heading and the height at which it ends."""
    cut = "".join(_lines(heading, _HEAD_WIDTH, 17, 1, bold=True))
    parts = [f'<text class="head" x="{_n(_MARGIN)}" y="38">{_text(cut)}</text>']
    y = 38.0
    for which, text in lines:
        y += 7
        if which is not None:
            parts.append(_sign(_MARGIN, y + 3, which))
        indent = 24 if which is not None else 0
        for line in _lines(text, _HEAD_WIDTH - indent, 12, _NOTE_LINES):
            y += _LINE
            parts.append(f'<text x="{_n(_MARGIN + indent)}" y="{_n(y - 2)}">{_text(line)}</text>')
    return parts, y + 30


# ---- the boxes


def _box(words: Label) -> Box:
    wanted = max(
        _width(words.name, 13, bold=True) + _width(words.lasted, 12) + 12,
        _width(words.said, 12),
        min(_width(words.note, 12), 210.0),
    )
    width = min(max(wanted + _BESIDE, _LEAST_WIDTH), _MOST_WIDTH)
    lines = 1 + bool(words.said) + len(_lines(words.note, width - _BESIDE, 12, _NOTE_LINES))
    # The card behind a pile looks out below it.
    return Box(width, 20 + lines * _LINE + (5 if words.several else 0))


def _card(box: Box, words: Label, *, plain: bool = False) -> str:
    """Return a box with its words; plain is one without a state, as before anything has run."""
    step, height = words.step, box.height - (5 if words.several else 0)
    colour = COLOURS[step.state]
    corner = 6 if step.kind in ("activity", "local_activity", "child_workflow", "nexus_operation") else 18
    shape = f'width="{_n(box.width)}" height="{_n(height)}" rx="{corner}"'
    stroke = f'stroke="{colour}"' + (' stroke-dasharray="5 3"' if dashed(step.state) and not plain else "")
    room, left = box.width - _BESIDE, 24 if plain else 36
    kind = f"{step.kind.replace('_', ' ')} {step.id}"
    whole = [words.name, kind if plain else f"{state(step.state)} · {kind}", words.said, words.note]
    parts = [
        f'<g transform="translate({_n(box.x - box.width / 2)} {_n(box.y)})">',
        f"<title>{escape(chr(10).join(one_line(line) for line in whole if line))}</title>",
    ]
    if words.several:
        parts.append(f'<rect class="card faint" x="5" y="5" {shape} stroke="{colour}"/>')
    parts += [f'<rect class="card" {shape} {stroke}/>', f'<rect class="tint" {shape} fill="{colour}"/>']
    if not plain:
        parts.append(_sign(12, 10, step.state))
    if step.kind == "child_workflow":
        # A run of its own: a double border, as a subroutine's in a flowchart.
        inner = f'width="{_n(box.width - 6)}" height="{_n(height - 6)}" rx="4"'
        parts.append(f'<rect class="faint" x="3" y="3" {inner} fill="none" stroke="{colour}"/>')
    # What has not begun is pale.
    name_class = "name dim" if step.state in ("pending", "skipped", "upstream_failed") and not plain else "name"
    name = _lines(words.name, room - _width(words.lasted, 12) - 12, 13, 1, bold=True)[0]
    parts.append(f'<text class="{name_class}" x="{left}" y="22">{_text(name)}</text>')
    if words.lasted:
        parts.append(
            f'<text class="dim" x="{_n(box.width - 12)}" y="22" text-anchor="end">{_text(words.lasted)}</text>'
        )
    y = 22.0
    for text, style, most in ((words.said, ' class="dim"', 1), (words.note, "", _NOTE_LINES)):
        for line in _lines(text, room, 12, most):
            y += _LINE
            parts.append(f'<text{style} x="{left}" y="{_n(y)}">{_text(line)}</text>')
    return "".join([*parts, "</g>"])


def _sign(x: float, y: float, which: State) -> str:
    return (
        f'<g transform="translate({_n(x)} {_n(y)})"><circle cx="8" cy="8" r="8" fill="{COLOURS[which]}"/>'
        f'<path class="sign" d="{_SIGNS[which]}"/></g>'
    )


def _end(box: Box, which: State, text: str) -> str:
    shape = f'width="{_n(box.width)}" height="{_n(box.height)}" rx="15"'
    return (
        f'<g transform="translate({_n(box.x - box.width / 2)} {_n(box.y)})">'
        f'<rect class="card" {shape} stroke="{COLOURS[which]}"/><rect class="tint" {shape} fill="{COLOURS[which]}"/>'
        f'{_sign(8, 7, which)}<text x="32" y="19">{_text(text)}</text></g>'
    )


def _ending(run: Run) -> str:
    return f"{state(run.status)} · {duration(run.duration)}"


# ---- the edges

_LOOP_LANES: Final = 4
_KNOT: Final = 6.0


def _edge(points: tuple[tuple[float, float], ...], *, tip: bool, faint: bool = False) -> str:
    marker = ' marker-end="url(#tip)"' if tip else ""
    return f'<path class="edge{" faint-edge" if faint else ""}"{marker} d="{_route(points)}"/>'


def _route(points: tuple[tuple[float, float], ...]) -> str:
    (x, y), *rest = points
    path = f"M{_n(x)} {_n(y)}"
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2:  # straight down through a layer
            path += f"L{_n(to_x)} {_n(to_y)}"
        else:
            middle = (y + to_y) / 2
            path += f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(to_y)}"
        x, y = to_x, to_y
    return path


def _loop(lower: Box, upper: Box, edge: float, lane: int) -> str:
    """Return a path from the right side of a box, right of all boxes, up to the right side of an earlier one."""
    start_x, start_y = lower.x + lower.width / 2, lower.y + lower.height / 2
    end_x, end_y = upper.x + upper.width / 2 + 3, upper.y + upper.height / 2 + 6 * (lane % _LOOP_LANES)
    x = edge + 20 + 16 * (lane % _LOOP_LANES)
    return (
        f"M{_n(start_x)} {_n(start_y)}H{_n(x - 8)}Q{_n(x)} {_n(start_y)} {_n(x)} {_n(start_y - 8)}"
        f"V{_n(end_y + 8)}Q{_n(x)} {_n(end_y)} {_n(x - 8)} {_n(end_y)}H{_n(end_x)}"
    )


# ---- text


def _lines(text: str, room: float, size: float, most: int, *, bold: bool = False) -> list[str]:
    """Return text in at most so many lines of a width, cut at the end if it needs more."""
    lines: list[str] = []
    rest = one_line(text)
    while rest:
        if _width(rest, size, bold=bold) <= room + 0.5:
            return [*lines, rest]
        fits = next(n for n in range(len(rest), -1, -1) if n == 1 or _width(f"{rest[:n]}…", size, bold=bold) <= room)
        if len(lines) == most - 1:
            return [*lines, f"{rest[:fits].rstrip()}…"]
        space = rest.rfind(" ", 0, fits + 1)
        # A word too long for the line, such as a path or a URL, is broken where the line ends.
        at = space if space > fits // 2 else fits
        lines.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return lines


def _width(text: str, size: float, *, bold: bool = False) -> float:
    """Return about how wide text is, in a wide sans-serif font: a reader's own is narrower rather than wider."""
    return sum(_units(char) for char in text) * size * (1.08 if bold else 1.0)


def _units(char: str) -> float:
    if char in " .,:;'|!iIjlt()[]/-·":
        return 0.37
    if ord(char) > 0x2E80:  # ideographs and emoji fill a square
        return 1.05
    return 0.92 if char in "mwMW@%…" else 0.7 if char.isupper() else 0.62


def _text(text: str) -> str:
    return escape(one_line(text))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
