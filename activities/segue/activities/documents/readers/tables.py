"""Rows of tables: of data, or of a page's layout, where a number and its text stand side by side.

row = Row()
row.cell()
row.add("(a)", write)
"""

from __future__ import annotations

from collections.abc import Callable

from segue.activities.documents.structure import labels
from segue.activities.documents.structure.blocks import Writer

__all__ = ["Row"]

_LABEL: int = 12

Write = Callable[[Writer], None]


class Row:
    """One row: the blocks of each of its cells, until it is known what it is."""

    def __init__(self) -> None:
        self._cells: list[list[tuple[str, Write]]] = []

    def cell(self) -> None:
        """Begin a cell."""
        self._cells.append([])

    def add(self, text: str, write: Write) -> None:
        """Add a block to the cell that was begun last: its text, and what writes it if it stands for itself."""
        if not self._cells:
            self.cell()
        self._cells[-1].append((text, write))

    def take(self, row: Row) -> None:
        """Add a row of a table within the cell that was begun last."""
        text = "\t".join(row.texts())
        if text.strip():
            self.add(text, row.write)

    def texts(self) -> list[str]:
        """Return the text of each cell, in one line."""
        return [" ".join(" ".join(text.split()) for text, _ in cell) for cell in self._cells]

    def write(self, writer: Writer) -> None:
        """Write the row: a cell alone as what it holds, a number beside its text as one block, all else as a row."""
        filled = [cell for cell in self._cells if cell]
        if len(filled) == 1:
            for _, write in filled[0]:
                write(writer)
            return
        if len(filled) == 2 and len(filled[0]) == 1 and _is_label(filled[0][0][0]):
            (text, _), *others = filled[1]
            writer.block(f"{filled[0][0][0]} {text}")
            for _, write in others:
                write(writer)
            return
        writer.block("\t".join(text for text in self.texts()), kind="row", separator="\n")


def _is_label(text: str) -> bool:
    """Return whether a cell is a number or a bullet, whose text stands in the next cell."""
    if len(text) > _LABEL:
        return False
    label = labels.at(f"{text} Text", 0)
    alone = label is not None and label.end >= len(text) and not label.doubt
    return alone or labels.BULLET.fullmatch(f"{text} ") is not None
