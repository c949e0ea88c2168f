"""PDF, by PDFium: lines with their places on the page, made into paragraphs again.

Line breaks and hyphenation are mended, also across pages. What the pages repeat at their edges is recognised: page
numbers are left out, and of running headers and footers one copy is kept. Ligatures become letters, soft hyphens go.
"""

from __future__ import annotations

import ctypes
import re
import threading
from typing import Any, Final

from segue.activities.documents.errors import (
    CorruptDocument,
    DocumentRefused,
    EmptyDocument,
    NoTextLayer,
    PasswordProtected,
)
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers import characters, libraries
from segue.activities.documents.readers.pages import Line, assembled
from segue.activities.documents.structure.blocks import Reading

__all__ = ["read"]

# PDFium writes U+FFFE in place of a hyphen at the end of a line, and of the line's end. A soft hyphen there is one too.
_LINE_END: Final = re.compile(r"[\r\n\x0b\x0c]+|\ufffe[\r\n]*|\u00ad[\r\n]+")
_WORD: Final = re.compile(r"\w")
_BOLD: Final = re.compile(rb"bold|black|heavy|demi|cmbx", re.IGNORECASE)
_SHOWN: Final = 10

# PDFium is not made for more than one thread.
_PDFIUM: Final = threading.Lock()


def read(data: bytes, name: str, limits: Limits) -> Reading:
    """Return the text of a PDF file, its blocks and its pages.

    Raises:
        PasswordProtected: It needs a password.
        CorruptDocument: PDFium cannot open it.
        NoTextLayer: It has images, and no text.
        EmptyDocument: It has neither.
        DocumentTooLarge: It is over a limit.
        ImportError: pypdfium2 is not installed.
    """
    pdfium = libraries.imported("pypdfium2", "PDF needs pypdfium2")
    with _PDFIUM:
        try:
            pdf = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            raise _refused(error, name, pdfium.raw.FPDF_ERR_PASSWORD) from None
        try:
            return _read(pdf, name, limits, pdfium)
        finally:
            pdf.close()


def _refused(error: Exception, name: str, password: int) -> DocumentRefused:
    if getattr(error, "err_code", None) == password:
        return PasswordProtected(f"Document {name!r} needs a password: save it without one, and load that", name)
    return CorruptDocument(
        f"Document {name!r} is not a PDF that can be opened ({error}): get it again from where it came", name
    )


def _read(pdf: Any, name: str, limits: Limits, pdfium: Any) -> Reading:
    count = len(pdf)
    limits.check("pages", count, name, "pages")
    if not count:
        raise EmptyDocument(f"Document {name!r} has no pages", name)
    pages: list[list[Line]] = []
    images, unreadable, characters = list[int](), list[int](), 0
    for index in range(count):
        lines: list[Line] = []
        try:
            page = pdf[index]
        except pdfium.PdfiumError:
            unreadable.append(index + 1)
        else:
            try:
                lines = _lines(page, pdfium.raw)
                if not lines and _has_image(page, pdfium.raw):
                    images.append(index + 1)
            finally:
                page.close()
        pages.append(lines)
        characters += sum(len(line.text) for line in lines)
        limits.check("characters", characters, name, "characters of text")
    if not characters:
        if len(unreadable) == count:
            raise CorruptDocument(f"Document {name!r} is damaged: none of its {count:,} pages can be read", name)
        if images:
            raise NoTextLayer(
                f"Document {name!r} has {count:,} pages of images and no text: have it recognised (OCR), and load that",
                name,
            )
        raise EmptyDocument(f"Document {name!r} has {count:,} pages, and no text on them", name)
    warnings = [
        f"{_numbered(numbers)} {what}"
        for numbers, what in (
            (images, "held images and no text, and nothing of them was read."),
            (unreadable, "could not be read, because the file is damaged."),
        )
        if numbers
    ]
    return assembled(pages, warnings)


def _lines(page: Any, raw: Any) -> list[Line]:
    """Return a page's lines in their order, each with its place, its height, and whether it is bold."""
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        box, font = raw.FS_RECTF(), ctypes.create_string_buffer(64)
        found: list[Line] = []
        start = 0
        for end_of_line in (*_LINE_END.finditer(text), None):
            stop = end_of_line.start() if end_of_line is not None else len(text)
            line = text[start:stop]
            content = " ".join(characters.cleaned(line).split())
            if content and end_of_line is not None and end_of_line[0][0] in "\ufffe\u00ad":
                content += "-"
            if content:
                first = start + len(line) - len(line.lstrip())
                last = start + len(line.rstrip()) - 1
                left, right, bottom, top = _box(raw, textpage, first, box)
                if not line[first - start].isalnum() and (word := _WORD.search(line)) is not None:
                    # A bullet or a bracket may be of another font.
                    first = start + word.start()
                    _, right, bottom, top = _box(raw, textpage, first, box)
                if last != first:
                    _, right, low, high = _box(raw, textpage, last, box)
                    other = high - low
                else:
                    other = top - bottom
                bold = _is_bold(raw, textpage, first, font) and _is_bold(raw, textpage, last, font)
                found.append(Line(content, left, right, bottom, top, other, bold))
            start = end_of_line.end() if end_of_line is not None else stop
        return found
    finally:
        textpage.close()


def _box(raw: Any, textpage: Any, index: int, box: Any) -> tuple[float, float, float, float]:
    character = raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)
    raw.FPDFText_GetLooseCharBox(textpage, max(character, 0), box)
    return box.left, box.right, box.bottom, box.top


def _is_bold(raw: Any, textpage: Any, index: int, name: Any) -> bool:
    character = max(raw.FPDFText_GetCharIndexFromTextIndex(textpage, index), 0)
    if raw.FPDFText_GetFontWeight(textpage, character) >= 600:
        return True
    raw.FPDFText_GetFontInfo(textpage, character, name, len(name), None)
    return _BOLD.search(name.value) is not None


def _has_image(page: Any, raw: Any) -> bool:
    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)), None) is not None


def _numbered(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Page {numbers[0]:,}"
    shown = ", ".join(f"{number:,}" for number in numbers[:_SHOWN])
    return f"Pages {shown}" + (f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else "")
