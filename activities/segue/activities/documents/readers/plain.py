"""Plain text: taken as it is. Only line ends and control characters are changed.

    reading = plain.read(text)

Form feeds are page ends. Blocks are found by their look, see `structure.layout`.
"""

from __future__ import annotations

import re
from typing import Final

from segue.activities.documents.structure import layout
from segue.activities.documents.structure.blocks import Reading

__all__ = ["decoded", "read", "verbatim"]

_LINE_END: Final = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def read(text: str, warnings: list[str]) -> Reading:
    """Return a text's blocks and pages; the text is `verbatim` of what was given."""
    text = verbatim(text)
    ends = [match.end() for match in re.finditer("\f", text)]
    pages: list[tuple[int, int]] = []
    if ends:
        starts = [0, *ends]
        pages = [(start, end) for start, end in zip(starts, [*ends, len(text)], strict=True) if text[start:end].strip()]
        # They cover the text: a page of nothing belongs to the one before.
        pages = [
            (start if index else 0, pages[index + 1][0] if index + 1 < len(pages) else len(text))
            for index, (start, _) in enumerate(pages)
        ]
    text = text.replace("\f", "\n")
    return Reading(text, layout.blocks(text), pages, warnings)


def verbatim(text: str) -> str:
    """Return a text with line ends as `\\n`, and a space for each control character; nothing else is changed."""
    return _CONTROL.sub(" ", _LINE_END.sub("\n", text))


def decoded(data: bytes, charset: str | None, warnings: list[str]) -> str:
    """Return the text of bytes: by their byte order mark, else by the charset given, else UTF-8, else Windows-1252.

    A guess, and each replaced character, is a warning.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strictly(data[len(bom) :], encoding, warnings)
    if charset is not None:
        try:
            return _strictly(data, charset, warnings)
        except LookupError:
            warnings.append(f"The charset {charset!r} is not known, so the text was read as UTF-8 or Windows-1252.")
    if (order := _utf16(data)) is not None:
        return _strictly(data, order, warnings)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    warnings.append("The text is not UTF-8 and was read as Windows-1252: accented letters and signs may be wrong.")
    return data.decode("cp1252", errors="replace")


def _strictly(data: bytes, encoding: str, warnings: list[str]) -> str:
    text = data.decode(encoding, errors="replace")
    if count := text.count("\ufffd"):
        warnings.append(f"{count:,} characters are not valid {encoding}, and stand as U+FFFD in the text.")
    return text


def _utf16(data: bytes) -> str | None:
    """Return the byte order of text in UTF-16 without a mark; None for what is none."""
    sample = data[:2000]
    if len(sample) < 4:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * len(sample) / 2 and even < 0.1 * len(sample) / 2:
        return "utf-16-le"
    if even > 0.4 * len(sample) / 2 and odd < 0.1 * len(sample) / 2:
        return "utf-16-be"
    return None
