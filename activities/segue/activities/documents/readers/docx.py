"""DOCX, by python-docx: what a reader of the printed pages sees, without headers and footers.

Numbers that Word works out for lists and headings are worked out here and written in front of their paragraphs. Tracked
insertions are taken, deletions are not; footnotes and endnotes stand at the end, each after its number in brackets.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final, cast

from segue.activities.documents.errors import CorruptDocument, DocumentTooLarge, PasswordProtected
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers import characters, libraries, tables
from segue.activities.documents.readers.elements import Element
from segue.activities.documents.readers.numbering import Numbering, Styles, W
from segue.activities.documents.structure.blocks import Kind, Reading, Writer

__all__ = ["read"]

_MOST_PARTS: Final = 20_000
_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_NOTES: Final = ("footnotes", "endnotes")
_CONTENTS_STYLE: Final = re.compile(r"toc \d|table of (?:figures|authorities)", re.IGNORECASE)
_PARTS: Final = frozenset((f"{W}ins", f"{W}hyperlink", f"{W}smartTag", f"{W}sdt", f"{W}sdtContent", f"{W}fldSimple"))
_PARTS_TOO: Final = frozenset((f"{W}customXml", f"{W}moveTo", f"{W}dir", f"{W}bdo", f"{_MC}AlternateContent"))
_SYMBOLS: Final = {"F0B7": "•", "F0A7": "▪", "F0D8": "➢", "F0FC": "✓", "F06F": "○", "F0A8": "□", "F0FE": "☒"}


def read(data: bytes, name: str, limits: Limits) -> Reading:
    """Return the text of a Word document, and its blocks.

    Raises:
        DocumentTooLarge: It unfolds into more than a limit.
        CorruptDocument: It is no document of Word that can be opened.
        PasswordProtected: Its parts are encrypted.
        ImportError: python-docx is not installed.
    """
    docx = libraries.imported("docx", "DOCX needs python-docx")
    opc = libraries.imported("docx.opc.exceptions", "DOCX needs python-docx")
    etree = libraries.imported("lxml.etree", "DOCX needs lxml")
    try:
        _check(data, name, limits)
        document = docx.Document(io.BytesIO(data))
        _undeclared(document.element)
        return _Document(document.part, name).reading()
    except (
        *(zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError),
        *(opc.OpcError, etree.LxmlError, KeyError, ValueError),
    ) as error:
        # What python-docx and zipfile say of a broken file is a detail; that it is broken is what helps.
        raise CorruptDocument(
            f"Document {name!r} is not a Word document that can be opened ({_told(error)}): get it again from where it "
            "came",
            name,
        ) from None


def _told(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else f"{text[:120]}..."


def _check(data: bytes, name: str, limits: Limits) -> None:
    """Refuse an archive that unfolds into more than it should, before anything of it is unfolded."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > _MOST_PARTS:
            raise DocumentTooLarge(
                f"Document {name!r} has {len(parts):,} parts, and at most {_MOST_PARTS:,} are taken", name
            )
        if any(part.flag_bits & 1 for part in parts):
            raise PasswordProtected(f"Document {name!r} is encrypted with a password: save it without one", name)
        # zipfile reads no more of a part than its header declares.
        limits.check("size_bytes", sum(part.file_size for part in parts), name, "bytes when unfolded")


class _Document:
    def __init__(self, part: Any, name: str) -> None:
        self._part = part
        self._name = name
        self._writer = Writer()
        self._styles = Styles(_root(part, "styles"))
        self._numbering = Numbering(_root(part, "numbering"), self._styles)
        self._notes: list[tuple[str, str]] = []
        self._tracked = False
        self._in_field: list[bool] = []

    def reading(self) -> Reading:
        """Return what has been read."""
        body = cast("Element", self._part.element).find(f"{W}body")
        if body is None:
            raise CorruptDocument(f"Document {self._name!r} has no body: get it again from where it came", self._name)
        for block in _blocks(body):
            self._block(block, None)
        self._write_notes()
        if self._tracked:
            self._writer.warnings.append("It has tracked changes, and was read as if all were accepted.")
        return self._writer.reading()

    def _block(self, element: Element, row: tables.Row | None) -> None:
        if element.tag == f"{W}tbl":
            self._table(element, row)
            return
        text, strong, boxes = self._text(element)
        properties = element.find(f"{W}pPr")
        style = self._styles.of(properties)
        label, _ = self._numbering.next(properties, style) if text else ("", 0)
        level = 0 if row is not None else self._styles.level(properties, style)
        kind: Kind = "contents" if _CONTENTS_STYLE.match(self._styles.name(style)) else "text"
        if kind == "contents":
            level, label = 0, ""
        strong = strong or self._styles.is_bold(style)
        if text:
            write = functools.partial(Writer.block, text=text, kind=kind, level=level, label=label, strong=strong)
            if row is not None:
                row.add(f"{label} {text}" if label else text, write)
            else:
                write(self._writer)
        for box in boxes:
            for block in _blocks(box):
                self._block(block, row)

    def _table(self, table: Element, outer: tables.Row | None) -> None:
        for element in _children(table, f"{W}tr"):
            row = tables.Row()
            for cell in _children(element, f"{W}tc"):
                row.cell()
                for block in _blocks(cell):
                    self._block(block, row)
            if outer is not None:
                outer.take(row)
            else:
                row.write(self._writer)

    def _text(self, paragraph: Element) -> tuple[str, bool, list[Element]]:
        """Return a paragraph's text, whether all of it is bold, and the text boxes that hang on it."""
        parts: list[str] = []
        boxes: list[Element] = []
        plain = 0
        for run in self._runs(paragraph):
            properties = run.find(f"{W}rPr")
            if properties is not None and _is_on(properties.find(f"{W}vanish")):
                continue
            bold = properties is not None and _is_on(properties.find(f"{W}b"))
            before = len(parts)
            for child in run:
                self._take(child, parts, boxes)
            plain += not bold and any(part.strip() for part in parts[before:])
        return characters.line("".join(parts)), bool(parts) and plain == 0, boxes

    def _runs(self, element: Element) -> Iterator[Element]:
        for child in element:
            if child.tag == f"{W}r":
                yield child
            elif child.tag in _PARTS or child.tag in _PARTS_TOO:
                self._tracked = self._tracked or child.tag in (f"{W}ins", f"{W}moveTo")
                chosen = _chosen(child)
                if chosen is not None:
                    yield from self._runs(chosen)
            elif child.tag in (f"{W}del", f"{W}moveFrom"):
                self._tracked = True

    def _take(self, child: Element, parts: list[str], boxes: list[Element]) -> None:
        match child.tag:
            case tag if tag == f"{W}t":
                parts.append(child.text or "")
            case tag if tag in (f"{W}tab", f"{W}ptab"):
                parts.append("\t")
            case tag if tag in (f"{W}br", f"{W}cr"):
                parts.append("\n" if child.get(f"{W}type", "textWrapping") == "textWrapping" else " ")
            case tag if tag == f"{W}noBreakHyphen":
                parts.append("-")
            case tag if tag == f"{W}sym":
                code = child.get(f"{W}char", "")
                parts.append(_SYMBOLS.get(code.upper(), ""))
            case tag if tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
                kind = "footnotes" if tag.endswith("footnoteReference") else "endnotes"
                self._notes.append((kind, child.get(f"{W}id", "")))
            case tag if tag in (f"{W}drawing", f"{W}pict", f"{_MC}AlternateContent"):
                chosen = _chosen(child)
                if chosen is not None:
                    boxes.extend(chosen.iter(f"{W}txbxContent"))
            case _:
                pass

    def _write_notes(self) -> None:
        """Write footnotes and endnotes, numbered as their references come."""
        roots: dict[str, Element | None] = {kind: _root(self._part, kind) for kind in _NOTES}
        numbers: dict[str, int] = dict.fromkeys(_NOTES, 0)
        for kind, identifier in list(self._notes):
            numbers[kind] += 1
            root = roots[kind]
            note = _note(root, f"{W}{kind[:-1]}", identifier) if root is not None else None
            if note is None:
                continue
            texts = [self._text(paragraph)[0] for paragraph in note.iter(f"{W}p")]
            number = numbers[kind] if kind == "footnotes" else f"e{numbers[kind]}"
            self._writer.block(" ".join(text for text in texts if text), label=f"[{number}]")


def _root(part: Any, kind: str) -> Element | None:
    """Return the root of a part that belongs to a document; None if it has no such part."""
    for relationship in part.rels.values():
        if relationship.reltype.endswith(f"/{kind}") and not relationship.is_external:
            target = relationship.target_part
            element = getattr(target, "element", None)
            if element is None:
                element = libraries.imported("docx.oxml.parser", "DOCX needs python-docx").parse_xml(target.blob)
            _undeclared(element)
            return cast("Element", element)
    return None


def _undeclared(root: Any) -> None:
    """Refuse a part that declares entities, none of which is resolved: text would be missing, and no Word writes them.

    Raises:
        ValueError: It has a document type declaration, which ISO/IEC 29500-2 forbids.
    """
    if root.getroottree().docinfo.doctype:
        raise ValueError("a part declares a document type, as no part of a Word document may")


def _note(root: Element, tag: str, identifier: str) -> Element | None:
    return next((child for child in root if child.tag == tag and child.get(f"{W}id") == identifier), None)


def _blocks(element: Element) -> Iterator[Element]:
    """Yield the paragraphs and tables of a body, a cell or a text box, those within content controls too."""
    for child in element:
        if child.tag in (f"{W}p", f"{W}tbl"):
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{_MC}AlternateContent"):
            chosen = _chosen(child)
            if chosen is not None:
                yield from _blocks(chosen)


def _children(element: Element, tag: str) -> Iterator[Element]:
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml"):
            yield from _children(child, tag)


def _chosen(element: Element) -> Element | None:
    """Return the alternative that is shown, of what is there in several."""
    if element.tag != f"{_MC}AlternateContent":
        return element
    choice = element.find(f"{_MC}Choice")
    return choice if choice is not None else element.find(f"{_MC}Fallback")


def _is_on(element: Element | None) -> bool:
    return element is not None and element.get(f"{W}val", "true") not in ("0", "false", "off", "none")
