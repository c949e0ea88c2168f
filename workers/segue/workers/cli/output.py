"""What commands print: JSON for scripts, tables of plain columns for people."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

_NARROWEST: Final = 8


def as_json(value: Any) -> str:
    """Return a value as JSON on one line: times in ISO 8601, durations in seconds, dataclasses as objects."""
    import pydantic_core

    return pydantic_core.to_json(value, timedelta_mode="float", inf_nan_mode="strings", serialize_unknown=True).decode()


def print_json(value: Any) -> None:
    """Print a value as JSON: indented on a terminal, on one line elsewhere."""
    import pydantic_core

    text = as_json(value)
    if sys.stdout.isatty():
        text = pydantic_core.to_json(pydantic_core.from_json(text), indent=2).decode()
    click.echo(text)


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    limit: int | None = None,
    paint: Callable[[int, str, str], str] | None = None,
) -> list[str]:
    """Return the lines of a table, columns two spaces apart, as wide as what they hold.

    Args:
        header: Titles of the columns.
        rows: Their texts, on one line each.
        limit: Width of the whole; the widest column gives way. None for no limit.
        paint: Colours a cell, given its column, its text, and the text as it is shown.
    """
    from segue.client.wording import cells

    widths = [max(map(cells, column)) for column in zip(header, *rows, strict=True)]
    while limit is not None and sum(widths) + 2 * (len(widths) - 1) > limit and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    # What ends a line needs no filling.
    widths[-1] = widths[-1] if limit is not None else 0
    lines = [_row(header, widths, None)]
    return lines + [_row(row, widths, paint) for row in rows]


def _row(row: Sequence[str], widths: Sequence[int], paint: Callable[[int, str, str], str] | None) -> str:
    cells: list[str] = []
    for column, (text, size) in enumerate(zip(row, widths, strict=True)):
        cell = fitted(text, size) if size else text
        cell = cell.rstrip() if column == len(widths) - 1 else cell
        cells.append(cell if paint is None else paint(column, text, cell))
    return "  ".join(cells).rstrip()


def terminal_size() -> tuple[int, int]:
    """Return the columns and lines of the terminal; elsewhere `$COLUMNS`, or 100 columns."""
    size = shutil.get_terminal_size((100, 40))
    return size.columns, size.lines


def coloured() -> bool:
    """Return whether the user wants colours (no-color.org)."""
    return not os.environ.get("NO_COLOR")


def fitted(text: str, columns: int) -> str:
    """Return a text that takes exactly so many columns: filled with spaces, or cut with an ellipsis."""
    from segue.client.wording import cells

    if (taken := cells(text)) <= columns:
        return text + " " * (columns - taken)
    kept = ""
    for char in text:
        if cells(kept + char) > columns - 1:
            break
        kept += char
    return kept + "…" + " " * (columns - 1 - cells(kept))
