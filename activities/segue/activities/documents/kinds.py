"""What a document is: told by its content where content can tell, else as declared, else by its name.

kind = kinds.of(data, "contract.pdf", None)
kind.media_type, kind.warnings
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from segue.activities.documents.errors import CorruptDocument, PasswordProtected, UnknownKind

__all__ = ["DOCX", "EXTENSIONS", "HTML", "MAIL", "MARKDOWN", "PDF", "TEXT", "Kind", "of"]

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
TEXT: Final = "text/plain"
MAIL: Final = "message/rfc822"

EXTENSIONS: Final = {
    "pdf": PDF,
    "docx": DOCX,
    "docm": DOCX,
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "txt": TEXT,
    "text": TEXT,
    "eml": MAIL,
}
"""Media types by the extensions that name them."""

_SAME: Final = {"application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN, "application/x-pdf": PDF}
_TELLS_NOTHING: Final = frozenset({"application/octet-stream", "binary/octet-stream", ""})
_FEW: Final = 3
_IMAGES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"RIFF", b"BM")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TAGS: Final = re.compile(rb"</?(?:p|div|br|table|span|h[1-6]|ul|ol|li|font|b|i|a)\b[^<>]*>", re.I)
_HEADER: Final = re.compile(
    rb"(?:From |[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*", re.I
)
_MAIL_ONLY: Final = re.compile(rb"^(?:message-id|mime-version|received|return-path|delivered-to):", re.I | re.M)
_MARKUP: Final = re.compile(rb"^(?:#{1,6} \S|```)|^\s*[*-] \S.*\n\s*[*-] \S|\[[^\]\n]+\]\(\S+\)", re.M)


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a document is read as.

    Attributes:
        media_type: One of the constants of this module.
        charset: That its declaration names, for text.
        warnings: A sentence if what it is called and what it is are not the same.
    """

    media_type: str
    charset: str | None = None
    warnings: tuple[str, ...] = ()


def of(data: bytes, name: str, media_type: str | None) -> Kind:
    """Return what a document is.

    Raises:
        UnknownKind: No reader takes it.
        PasswordProtected: It is an encrypted document of Word.
        CorruptDocument: It is declared as something that its content is not, and is no text either.
    """
    declared, charset = _declared(media_type)
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    named = EXTENSIONS.get(extension)
    called = declared if declared is not None else named
    content = _told_by_content(data, name, extension, called)
    if content is None:
        if declared is not None and declared not in EXTENSIONS.values():
            raise UnknownKind(
                f"Document {name!r} is declared as {media_type!r}, which no reader takes: {_taken()}", name
            )
        if called in (PDF, DOCX):
            raise CorruptDocument(
                f"Document {name!r} is called {called}, but does not begin as one: get it again from where it came",
                name,
            )
        return Kind(called or TEXT, charset)
    told = content if content != TEXT else TEXT
    if called is not None and called != told and not (told == MAIL and called == TEXT):
        return Kind(told, charset, (f"It is called {called}, but its content is {told}, and was read as that.",))
    return Kind(told, charset)


def _declared(media_type: str | None) -> tuple[str | None, str | None]:
    essence, _, parameters = (media_type or "").partition(";")
    essence = essence.strip().lower()
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    charset = found[1] if found else None
    return (None if essence in _TELLS_NOTHING else _SAME.get(essence, essence)), charset


def _told_by_content(data: bytes, name: str, extension: str, called: str | None) -> str | None:
    """Return what the content says that it is; None for text of whatever kind."""
    head = data[:4096]
    if b"%PDF-" in data[:1024]:
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data, name, called)
    if head.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise PasswordProtected(
                f"Document {name!r} is encrypted with a password: save it without one, and load that", name
            )
        raise UnknownKind(
            f"Document {name!r} is of an old Office format, which no reader takes: save it as DOCX or PDF", name
        )
    if head.startswith(_IMAGES):
        raise UnknownKind(
            f"Document {name!r} is an image: have its text recognised (OCR), and load the PDF or text that comes of it",
            name,
        )
    if head.startswith(b"{\\rtf"):
        raise UnknownKind(f"Document {name!r} is RTF, which no reader takes: save it as DOCX or PDF", name)
    if _is_binary(data):
        raise UnknownKind(f"Document {name!r} is neither text nor of a kind that is known: {_taken()}", name)
    if _HTML.match(head):
        return HTML
    header = _HEADER.match(head.replace(b"\r\n", b"\n"))
    if header is not None and len(_MAIL_ONLY.findall(header[0])) >= 1 and header[0].count(b"\n") >= 3:
        return MAIL
    if extension in ("htm", "html") and not _TAGS.search(data[:20_000]):
        return TEXT
    return None


def _zipped(data: bytes, name: str, called: str | None) -> str:
    # The names of a ZIP's parts stand in it as they are.
    if b"word/document" in data:
        return DOCX
    for sign, what in ((b"xl/workbook", "an Excel workbook"), (b"ppt/presentation", "a PowerPoint presentation")):
        if sign in data:
            raise UnknownKind(f"Document {name!r} is {what}, which no reader takes: save it as PDF", name)
    if b"mimetypeapplication/vnd.oasis.opendocument" in data[:200]:
        raise UnknownKind(f"Document {name!r} is of OpenDocument, which no reader takes: save it as DOCX or PDF", name)
    if called == DOCX:  # one that was cut off: the list of its parts is at the end
        return DOCX
    raise UnknownKind(f"Document {name!r} is a ZIP archive: unpack it, and load the documents in it", name)


def _is_binary(data: bytes) -> bool:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")):
        return False
    sample = data[:8192]
    zeros = sample.count(0)
    if zeros > 0.3 * len(sample):  # UTF-16 of western text is half zeros, all on one side
        return sample[0::2].count(0) > 0.1 * len(sample) and sample[1::2].count(0) > 0.1 * len(sample)
    control = sum(sample.count(code) for code in (*range(1, 9), *range(14, 32)))
    return zeros > max(_FEW, 0.01 * len(sample)) or control > max(_FEW, 0.05 * len(sample))


def _taken() -> str:
    return "PDF, DOCX, HTML, Markdown, text and mail are taken"
