"""PDF, by PDFium: lines with their places on the page, made into paragraphs again.

Line breaks and hyphenation are mended, also across pages. What the pages repeat at their edges is recognised: page
numbers are left out, and of running headers and footers one copy is kept. Ligatures become letters, soft hyphens go.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any, Final

from segue.activities.documents.errors import CorruptDocument, EmptyDocument, NoTextLayer, PasswordProtected
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers.pages import Line, assembled
from segue.activities.documents.structure.blocks import Reading

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

__all__ = ["read"]

# PDFium writes U+FFFE in place of a hyphen at the end of a line, and of the line's end.
_LINE_END: Final = re.compile(r"[\r\n\x0b\x0c]+|\ufffe[\r\n]*")
_SYMBOLS: Final = str.maketrans({"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf0fc": "✓", "\uf06f": "○"})
_LIGATURES: Final = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00ad": "-", "\u200b": ""}
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff]")
_SHOWN: Final = 10


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
    try:
        import pypdfium2
        from pypdfium2 import raw
    except ImportError as error:
        raise ImportError('PDF needs pypdfium2: pip install "segue[documents]"', name="pypdfium2") from error
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise PasswordProtected(
                f"Document {name!r} needs a password: save it without one, and load that", name
            ) from None
        raise CorruptDocument(
            f"Document {name!r} is not a PDF that can be opened ({error}): get it again from where it came", name
        ) from None
    try:
        return _read(pdf, name, limits)
    finally:
        pdf.close()


def _read(pdf: PdfDocument, name: str, limits: Limits) -> Reading:
    import pypdfium2

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
        except pypdfium2.PdfiumError:
            unreadable.append(index + 1)
        else:
            try:
                lines = _lines(page)
                if not lines and _has_image(page):
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


def _lines(page: PdfPage) -> list[Line]:
    """Return a page's lines in their order, each with its place, its height, and whether it is bold."""
    from pypdfium2 import raw

    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        box = raw.FS_RECTF()
        found: list[Line] = []
        start = 0
        for end_of_line in (*_LINE_END.finditer(text), None):
            stop = end_of_line.start() if end_of_line is not None else len(text)
            line = text[start:stop]
            content = _clean(line)
            if content and end_of_line is not None and end_of_line[0][0] == "\ufffe":
                content += "-"
            if content:
                first = start + len(line) - len(line.lstrip())
                last = start + len(line.rstrip()) - 1
                left, _, bottom, top = _box(raw, textpage, first, box)
                _, right, _, _ = _box(raw, textpage, last, box)
                bold = _is_bold(raw, textpage, first) and _is_bold(raw, textpage, last)
                found.append(Line(content, left, right, bottom, top, bold))
            start = end_of_line.end() if end_of_line is not None else stop
        return found
    finally:
        textpage.close()


def _box(raw: Any, textpage: Any, index: int, box: Any) -> tuple[float, float, float, float]:
    character = raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)
    raw.FPDFText_GetLooseCharBox(textpage, max(character, 0), box)
    return box.left, box.right, box.bottom, box.top


def _is_bold(raw: Any, textpage: Any, index: int) -> bool:
    character = max(raw.FPDFText_GetCharIndexFromTextIndex(textpage, index), 0)
    if raw.FPDFText_GetFontWeight(textpage, character) >= 600:
        return True
    buffer = ctypes.create_string_buffer(64)
    raw.FPDFText_GetFontInfo(textpage, character, buffer, 64, None)
    return b"old" in buffer.value or b"lack" in buffer.value or b"eavy" in buffer.value


def _clean(line: str) -> str:
    line = line.translate(_SYMBOLS).translate(_LIGATURES)
    return " ".join(_CONTROL.sub("", line).split())


def _has_image(page: PdfPage) -> bool:
    from pypdfium2 import raw

    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)), None) is not None


def _numbered(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Page {numbers[0]:,}"
    shown = ", ".join(f"{number:,}" for number in numbers[:_SHOWN])
    return f"Pages {shown}" + (f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else "")
