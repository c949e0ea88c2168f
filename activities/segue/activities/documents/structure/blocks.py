"""What every reader returns: one text, and the blocks that the source itself sets apart in it.

    writer = Writer()
    writer.block("Definitions", heading=1)
    writer.block("The Term is one year.")
    reading = writer.reading()

A block is a paragraph, a heading, a list's item or a table's row. `outline` makes sections and clauses of them.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

__all__ = ["SEPARATOR", "Block", "Kind", "Reading", "Writer"]

Kind = Literal["text", "heading", "row", "furniture", "contents"]
"""What a clause is to a reader; see `Clause.kind`."""

SEPARATOR: Final = "\n\n"
"""Between two blocks of a text that a reader puts together."""


@dataclasses.dataclass(slots=True)
class Block:
    """Characters `start` to `end` of the text, as the source sets them apart. Starts and ends with no white space.

    Attributes:
        start: Offset of the first character.
        end: Offset after the last.
        kind: What it is; a "text" may still turn out to be a heading by its look.
        level: Of a heading that the source declares as one, from 1; else 0.
        label: Offset after the number that the reader wrote in front, such as a list's; 0 for none.
        depth: How deep in lists the source has it, from 1; 0 outside.
        strong: Whether the source sets it in bold or in larger type throughout.
        size: Size of its type, if the source says so; else 0.
        speaker: Who says it.
    """

    start: int
    end: int
    kind: Kind = "text"
    level: int = 0
    label: int = 0
    depth: int = 0
    strong: bool = False
    size: float = 0.0
    speaker: str = ""


@dataclasses.dataclass(slots=True)
class Reading:
    """What a reader has read.

    Attributes:
        text: The whole text.
        blocks: In order; between them stands only white space.
        pages: Start and end of each page; they cover the text.
        warnings: What could not be read faithfully.
    """

    text: str
    blocks: list[Block]
    pages: list[tuple[int, int]] = dataclasses.field(default_factory=list[tuple[int, int]])
    warnings: list[str] = dataclasses.field(default_factory=list[str])


class Writer:
    """Puts a text together out of blocks, for sources whose own text is not the one that is read."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []

    def block(
        self,
        text: str,
        *,
        kind: Kind = "text",
        level: int = 0,
        label: str = "",
        depth: int = 0,
        strong: bool = False,
        speaker: str = "",
        separator: str = SEPARATOR,
    ) -> None:
        """Write a block, after its label if it has one. One without text is left out, its label too."""
        text = text.strip()
        if not text:
            return
        if self._blocks:
            self._parts.append(separator)
            self._length += len(separator)
        start = self._length
        if label:
            text = f"{label} {text}"
        self._parts.append(text)
        self._length += len(text)
        self._blocks.append(
            Block(
                start,
                self._length,
                "heading" if level else kind,
                level,
                start + len(label) if label else 0,
                depth,
                strong,
                speaker=speaker,
            )
        )

    def append(self, reading: Reading, *, below: int = 0) -> None:
        """Write what another reader has read, its headings so many levels deeper."""
        if not reading.blocks:
            return
        if self._blocks:
            self._parts.append(SEPARATOR)
            self._length += len(SEPARATOR)
        offset = self._length
        self._parts.append(reading.text)
        self._length += len(reading.text)
        for block in reading.blocks:
            self._blocks.append(
                dataclasses.replace(
                    block,
                    start=block.start + offset,
                    end=block.end + offset,
                    level=block.level + below if block.level else 0,
                    label=block.label + offset if block.label else 0,
                )
            )

    def reading(self) -> Reading:
        """Return what has been written."""
        return Reading("".join(self._parts), self._blocks, warnings=self.warnings)
