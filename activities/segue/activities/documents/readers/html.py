"""HTML, by lxml: as a reader sees it, with the numbers of lists.

White space is collapsed as browsers do, no-break spaces with it; a `<br>` is a line's end. What is not shown is left
out: scripts, styles, comments, hidden elements. The document is taken in as a stream, and no tree is built of it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Final

from segue.activities.documents.errors import CorruptDocument, DocumentTooLarge
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers import characters, libraries, tables
from segue.activities.documents.readers.plain import verbatim
from segue.activities.documents.structure import layout, marks
from segue.activities.documents.structure.blocks import Reading, Writer
from segue.activities.documents.structure.numerals import numeral
from segue.activities.documents.structure.words import words

__all__ = ["declared_charset", "read"]

_CHARSET: Final = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_NOT_SHOWN: Final = words("script style template noscript head title iframe object svg math select textarea")
_BLOCKS: Final = words(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "header hr html legend li main nav ol p pre section summary table tbody tfoot thead tr td th ul"
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_STRONG: Final = frozenset(("b", "strong", "u"))
_VOID: Final = words("area base br col embed hr img input link meta param source track wbr")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BOLD: Final = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_FORMATS: Final = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_CHUNK: Final = 256 * 1024


def read(text: str, name: str, limits: Limits, warnings: list[str]) -> Reading:
    """Return the text that an HTML document shows, and its blocks.

    Raises:
        DocumentTooLarge: Its elements are nested too deep.
        CorruptDocument: It cannot be taken apart.
        ImportError: lxml is not installed.
    """
    etree = libraries.imported("lxml.etree", "HTML needs lxml")
    writer = Writer()
    writer.warnings = warnings
    target = _Target(writer, name, limits)
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    data = text.encode("utf-8", errors="replace")
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        parser.close()
    except etree.LxmlError as error:
        raise CorruptDocument(f"Document {name!r} is no HTML that can be read: {error}", name) from None
    reading = writer.reading()
    marks.mark_repeated(reading.text, reading.blocks)
    return reading


def declared_charset(data: bytes) -> str | None:
    """Return the charset that an HTML document names in its head; None if it names none."""
    found = _CHARSET.search(data[:4096])
    return found[1].decode("ascii") if found else None


@dataclasses.dataclass(slots=True)
class _List:
    """A list that is open. `number` is that of its next item, None in one of bullets."""

    number: int | None
    format: str = "decimal"
    step: int = 1


class _Target:
    """Takes the events of lxml's parser."""

    def __init__(self, writer: Writer, name: str, limits: Limits) -> None:
        self._writer = writer
        self._name = name
        self._limits = limits
        self._depth = 0
        self._hidden_at = 0
        self._parts: list[str] = []
        self._plain = 0
        self._strong: list[bool] = []
        self._breaks = 0
        self._level = 0
        self._label = ""
        self._lists: list[_List] = []
        self._rows: list[tables.Row] = []
        self._preformatted: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if tag not in _VOID:
            self._depth += 1
            if self._depth > self._limits.nesting:
                raise DocumentTooLarge(
                    f"Document {self._name!r} nests elements over {self._limits.nesting} deep: it is broken or hostile"
                    ", or raise Limits.nesting",
                    self._name,
                )
        if self._hidden_at:
            return
        style = attributes.get("style", "")
        if tag in _NOT_SHOWN or "hidden" in attributes or (style and _HIDDEN.search(style)):
            if tag not in _VOID:
                self._hidden_at = self._depth
            return
        if tag not in _VOID:
            bold = tag in _STRONG or (style and _BOLD.search(style) is not None)
            self._strong.append(bool(bold) or (bool(self._strong) and self._strong[-1]))
        if tag == "br":
            self._break()
        elif tag in _HEADINGS:
            self._flush()
            self._level = _HEADINGS[tag]
        elif tag in _BLOCKS:
            self._flush()
            self._begin(tag, attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        if tag in _VOID:
            return
        if self._hidden_at:
            if self._depth == self._hidden_at:
                self._hidden_at = 0
            self._depth -= 1
            return
        if tag in _HEADINGS:
            self._flush()
            self._level = 0
        elif tag in _BLOCKS:
            self._finish(tag)
        self._depth -= 1
        if self._strong:
            self._strong.pop()

    def data(self, data: str) -> None:
        """Text."""
        if self._hidden_at:
            return
        if self._preformatted is not None:
            self._preformatted.append(data)
            return
        self._parts.append(data.replace("\n", " ").replace("\r", " "))
        if data.strip():
            self._breaks = 0
            self._plain += not (self._strong and self._strong[-1])

    def comment(self, text: str) -> None:
        """Nothing that is shown."""

    def close(self) -> None:
        """The document ends."""
        self._flush()
        while self._rows:
            self._row_ends()

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "ol":
            start = attributes.get("start", "1")
            number = int(start) if re.fullmatch(r"-?\d{1,9}", start) else 1
            format_ = _FORMATS.get(attributes.get("type", "1"), "decimal")
            self._lists.append(_List(number, format_, -1 if "reversed" in attributes else 1))
        elif tag == "ul":
            self._lists.append(_List(None))
        elif tag == "li" and self._lists:
            self._item(self._lists[-1], attributes.get("value", ""))
        elif tag == "tr":
            self._rows.append(tables.Row())
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].cell()
        elif tag == "pre":
            self._preformatted = []

    def _finish(self, tag: str) -> None:
        if tag == "pre" and self._preformatted is not None:
            self._verbatim("".join(self._preformatted))
            self._preformatted = None
        self._flush()
        if tag in ("ol", "ul") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._label = ""
        elif tag == "tr" and self._rows:
            self._row_ends()

    def _item(self, into: _List, value: str) -> None:
        if into.number is None:
            self._label = "•"
            return
        if re.fullmatch(r"-?\d{1,9}", value):
            into.number = int(value)
        self._label = f"{numeral(into.number, into.format)}."
        into.number += into.step

    def _break(self) -> None:
        """A `<br>` ends a line, and two in a row end a paragraph."""
        if self._preformatted is not None:
            self._preformatted.append("\n")
            return
        self._breaks += 1
        if self._breaks > 1:
            self._flush()
        else:
            self._parts.append("\n")

    def _flush(self) -> None:
        """Write what has been gathered as a block."""
        if self._parts:
            text = characters.line("".join(self._parts))
            strong = self._plain == 0
            self._parts, self._plain, self._breaks = [], 0, 0
            if text:
                self._write(text, strong)

    def _write(self, text: str, strong: bool) -> None:
        label, self._label = self._label, ""
        depth = len(self._lists) if label and not self._level else 0
        write = functools.partial(Writer.block, text=text, level=self._level, label=label, depth=depth, strong=strong)
        if self._rows:
            self._rows[-1].add(f"{label} {text}" if label else text, write)
        else:
            write(self._writer)

    def _row_ends(self) -> None:
        self._flush()
        row = self._rows.pop()
        if self._rows:  # a table within a table's cell
            self._rows[-1].take(row)
        else:
            row.write(self._writer)

    def _verbatim(self, text: str) -> None:
        """Write preformatted text, which may be a whole document with a look of its own."""
        self._flush()
        text = verbatim(text)
        for block in layout.blocks(text):
            content = characters.cleaned(text[block.start : block.end])
            if self._rows:
                self._rows[-1].add(content, functools.partial(Writer.block, text=content))
            else:
                self._writer.block(content, kind=block.kind)
