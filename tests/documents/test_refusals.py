"""What is refused, and with which words: each says what is wrong, with which document, and what to do."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image
from tests.documents.files import Pages, docx, mail, paragraph, pdf

from segue.activities.documents import (
    CorruptDocument,
    DocumentRefused,
    DocumentTooLarge,
    EmptyDocument,
    Limits,
    NoTextLayer,
    PasswordProtected,
    UnknownKind,
    parse,
)
from segue.activities.errors import Terminal

SMALL = Limits(size_bytes=1_000_000, pages=2, characters=1000, nesting=50)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TAKEN = "PDF, DOCX, HTML, Markdown, text and mail are taken"


def locked() -> bytes:
    pages = Pages()
    pages.set_encryption(owner_password="owner", user_password="user")
    pages.add_page()
    return bytes(pages.output())


def scanned() -> bytes:
    pages = Pages()
    for _ in range(2):
        pages.add_page()
        pages.image(Image.new("RGB", (10, 10), "red"), 10, 10, 50)
    return bytes(pages.output())


def zipped(**parts: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def unfolding() -> bytes:
    """A Word document of a few kilobytes with a part of two megabytes."""
    data = io.BytesIO(docx(paragraph("Small.")))
    with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image1.bin", b"\0" * 2_000_000)
    return data.getvalue()


def billion_laughs() -> bytes:
    """A Word document whose text unfolds into a thousand million letters."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    data = io.BytesIO(docx(paragraph("Small.")))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&e9;'
        "</w:t></w:r></w:p></w:body></w:document>"
    )
    replaced = io.BytesIO()
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(replaced, "w") as new:
        for part in old.infolist():
            new.writestr(part.filename, bomb if part.filename == "word/document.xml" else old.read(part))
    return replaced.getvalue()


@pytest.mark.parametrize(
    ("kind", "data", "name", "message"),
    [
        (EmptyDocument, b"", "a.txt", "Document 'a.txt' is empty: it has 0 bytes, and no text"),
        (EmptyDocument, b" \n\t", "a.txt", "Document 'a.txt' is empty: it has 3 bytes, and no text"),
        (EmptyDocument, pdf(), "a.pdf", "Document 'a.pdf' has 1 pages, and no text on them"),
        (EmptyDocument, docx(""), "a.docx", "Document 'a.docx' has no text in it"),
        (EmptyDocument, b"<html><script>x</script></html>", "a.html", "Document 'a.html' has no text in it"),
        (
            NoTextLayer,
            scanned(),
            "a.pdf",
            "Document 'a.pdf' has 2 pages of images and no text: have it recognised (OCR), and load that",
        ),
        (
            PasswordProtected,
            locked(),
            "a.pdf",
            "Document 'a.pdf' needs a password: save it without one, and load that",
        ),
        (
            PasswordProtected,
            OLE + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            "Document 'a.docx' is encrypted with a password: save it without one, and load that",
        ),
        (
            CorruptDocument,
            pdf(("Text", "", 11))[:400],
            "a.pdf",
            "Document 'a.pdf' is not a PDF that can be opened (Failed to load document (PDFium: Data format error).): "
            "get it again from where it came",
        ),
        (
            CorruptDocument,
            b"no pdf at all",
            "a.pdf",
            "Document 'a.pdf' is called application/pdf, but does not begin as one: get it again from where it came",
        ),
        (
            CorruptDocument,
            docx(paragraph("Text"))[:600],
            "a.docx",
            "Document 'a.docx' is not a Word document that can be opened (File is not a zip file): get it again from "
            "where it came",
        ),
        (
            UnknownKind,
            b"\x89PNG\r\n\x1a\n",
            "a.png",
            "Document 'a.png' is an image: have its text recognised (OCR), and load the PDF or text that comes of it",
        ),
        (
            UnknownKind,
            OLE,
            "a.doc",
            "Document 'a.doc' is of an old Office format, which no reader takes: save it as DOCX or PDF",
        ),
        (
            UnknownKind,
            b"{\\rtf1 text}",
            "a.rtf",
            "Document 'a.rtf' is RTF, which no reader takes: save it as DOCX or PDF",
        ),
        (
            UnknownKind,
            zipped(**{"xl/workbook.xml": b"<x/>"}),
            "a.xlsx",
            "Document 'a.xlsx' is an Excel workbook, which no reader takes: save it as PDF",
        ),
        (
            UnknownKind,
            zipped(readme=b"text"),
            "a.zip",
            "Document 'a.zip' is a ZIP archive: unpack it, and load the documents in it",
        ),
        (
            UnknownKind,
            bytes(range(256)),
            "a.bin",
            f"Document 'a.bin' is neither text nor of a kind that is known: {TAKEN}",
        ),
        (
            DocumentTooLarge,
            b"x" * 1_000_001,
            "a.txt",
            "Document 'a.txt' has 1,000,001 bytes, and at most 1,000,000 are taken: split it, or raise "
            "Limits.size_bytes",
        ),
        (
            DocumentTooLarge,
            b"x" * 1001,
            "a.txt",
            "Document 'a.txt' has 1,001 characters of text, and at most 1,000 are taken: split it, or raise "
            "Limits.characters",
        ),
        (
            DocumentTooLarge,
            pdf(("One", "", 11), None, ("Two", "", 11), None, ("Three", "", 11)),
            "a.pdf",
            "Document 'a.pdf' has 3 pages, and at most 2 are taken: split it, or raise Limits.pages",
        ),
        (
            DocumentTooLarge,
            b"<html>" + b"<div>" * 60 + b"deep",
            "a.html",
            "Document 'a.html' nests elements over 50 deep: it is broken or hostile, or raise Limits.nesting",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(kind: type[DocumentRefused], data: bytes, name: str, message: str) -> None:
    """Each refusal is an error of its own kind, with a whole message, that no retry would change."""
    with pytest.raises(DocumentRefused) as caught:
        parse(data, name, limits=SMALL)
    assert (type(caught.value), caught.value.message, caught.value.name) == (kind, message, name)
    assert isinstance(caught.value, Terminal)


def test_what_unfolds_into_too_much_is_refused() -> None:
    """A small file that unpacks or expands into a large one is refused before it does."""
    with pytest.raises(
        DocumentTooLarge, match=r"^DocumentTooLarge: Document 'a.docx' has 2,00\d,\d+ bytes when unfolded"
    ):
        parse(unfolding(), "a.docx", limits=SMALL)
    with pytest.raises(CorruptDocument, match="amplification factor exceeded"):
        parse(billion_laughs(), "a.docx")


def test_a_declared_kind_that_no_reader_takes() -> None:
    """A media type that is declared and unknown is refused, where content does not say better."""
    with pytest.raises(UnknownKind) as caught:
        parse(b'{"a": 1}', "a.json", "application/json")
    assert (
        caught.value.message == f"Document 'a.json' is declared as 'application/json', which no reader takes: {TAKEN}"
    )
    assert parse(b"text", "a", "application/octet-stream").media_type == "text/plain"


@pytest.mark.parametrize(
    ("data", "name", "media_type", "read_as"),
    [
        (pdf(("Text", "", 11)), "a.txt", None, "application/pdf"),
        (b"<!DOCTYPE html><p>Text", "a.txt", None, "text/html"),
        (b"<html><p>Text", "a.md", "text/plain", "text/html"),
        (bytes(mail("Text")), "a.md", None, "message/rfc822"),
    ],
)
def test_content_wins_over_names(data: bytes, name: str, media_type: str | None, read_as: str) -> None:
    """A document is read as what it is, and a warning says what it was called."""
    called = media_type or {"txt": "text/plain", "md": "text/markdown"}[name.rpartition(".")[2]]
    parsed = parse(data, name, media_type)
    assert parsed.media_type == read_as
    assert parsed.warnings[0] == f"It is called {called}, but its content is {read_as}, and was read as that."


@pytest.mark.parametrize(
    "text",
    [
        "word " * 400_000,
        "a" + " " * 1_000_000 + "b",
        "." * 500_000,
        '."' * 300_000,
        "1. " * 100_000,
        "(a) " * 100_000,
        "(i)" * 150_000,
        "(h) x; (i) y; " * 20_000,
        "ABC DEF " * 100_000,
        "A) " * 150_000,
        "• a " * 60_000,
        "Line 12\n" * 40_000,
        "Some Title\n\n" * 40_000,
        "Ann: hi\n" * 40_000,
        "M" * 500_000 + ". x",
        "-\n" * 200_000 + "x",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_text_made_to_take_long_takes_seconds(text: str) -> None:
    """No repetition makes the reader take more than in proportion to its length."""
    parse(text.encode(), "hostile.txt")


def test_markup_made_to_take_long_takes_seconds() -> None:
    """Neither do marks that are opened and never closed."""
    for text, name in (
        ("<html>" + "<table><tr><td>a<td>b" * 20, "a.html"),
        ("<html>" + "<p>" * 50_000 + "x", "a.html"),
        ("<html>" + "<tr><td>a" * 20_000, "a.html"),
        ("[" * 20_000, "a.md"),
        ("*a " * 30_000, "a.md"),
        ("\n".join("  " * depth + "- x" for depth in range(95)), "a.md"),
    ):
        parse(text.encode(), name)
