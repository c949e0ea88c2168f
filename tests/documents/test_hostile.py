"""Documents made to harm whoever reads them: bombs, depths without end, files that name other files, and noise."""

from __future__ import annotations

import contextlib
import io
import random
import re
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.documents.files import W, docx, mail, paragraph, pdf
from tests.documents.texts import CONTRACT, check, shown

from segue.activities.documents import (
    CorruptDocument,
    DocumentRefused,
    DocumentTooLarge,
    Limits,
    ParsedDocument,
    locate,
    parse,
)
from segue.activities.documents.parsers import parsed_apart

HEAD = "Message-ID: <1@x>\nFrom: a\nSubject: s\n"
SMALL = Limits(size_bytes=1_000_000)


def with_part(part: str, content: bytes, data: bytes) -> bytes:
    """A Word document with one of its parts replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return made.getvalue()


def word(body: str, declared: str = "") -> bytes:
    """A Word document whose main part declares something before it begins."""
    main = f'<?xml version="1.0"?>{declared}<w:document {W}><w:body>{body}</w:body></w:document>'
    return with_part("word/document.xml", main.encode(), docx(""))


def line_of(page: int) -> str:
    """What stands on a page: another line on each, for what pages repeat is taken for their header."""
    words = ("gulls", "boats", "herons", "barges", "seals", "buoys", "storms", "wrecks", "tides", "crabs")
    return " and ".join(words[int(digit)] for digit in f"{page:05}")


def pages_of(count: int, *, kids: str | None = None) -> bytes:
    """A PDF of so many pages of one line, or of a tree of pages that is none."""
    tree = " ".join(f"{4 + 2 * page} 0 R" for page in range(count)) if kids is None else kids
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{tree}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page in range(count if kids is None else 0):
        shown = f"BT /F1 12 Tf 72 720 Td ({line_of(page)}.) Tj ET"
        place = f"/Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * page} 0 R"
        objects.append(f"<< /Type /Page {place} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        objects.append(f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream".encode())
    return pdf_of(objects)


def pdf_of(objects: list[bytes]) -> bytes:
    """A PDF of objects, numbered from 1, the first of which is its catalogue."""
    made, places = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(made)


def refused(data: bytes, name: str, limits: Limits | None = None) -> DocumentRefused:
    """The error that a document is refused with, which must not take long."""
    started = time.monotonic()
    with pytest.raises(DocumentRefused) as caught:
        parse(data, name, limits=limits or Limits())
    assert time.monotonic() - started < 10
    assert caught.value.name == name
    return caught.value


SECRET = "canary-of-another-file"


@pytest.mark.parametrize("declaration", ['<!ENTITY x SYSTEM "{url}">', '<!ENTITY % x SYSTEM "{url}">%x;'])
@pytest.mark.parametrize("part", ["document", "footnotes", "styles", "numbering"])
def test_entities_of_other_files_are_refused(tmp_path: Path, part: str, declaration: str) -> None:
    """A Word document that names a file of the worker's machine is refused, whichever of its parts does."""
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    declared = f"<!DOCTYPE d [{declaration.format(url=secret.as_uri())}]>"
    text = "Before &x; after." if "%" not in declaration else "Before, after."
    if part == "document":
        data = word(paragraph(text), declared)
    else:
        content = f'<?xml version="1.0"?>{declared}<w:{part} {W}><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{part}>'
        note = '<w:p><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        data = with_part(f"word/{part}.xml", content.encode(), docx(paragraph("Text.") + note, **{part: ""}))
    error = refused(data, "a.docx")
    assert type(error) is CorruptDocument
    assert error.message == (
        "Document 'a.docx' is not a Word document that can be opened (a part declares a document type, as no part of a "
        "Word document may): get it again from where it came"
    )


@pytest.mark.parametrize("head", ["<!DOCTYPE html [{}]>", '<?xml version="1.0"?><!DOCTYPE html [{}]>'])
def test_entities_of_other_files_are_not_resolved_in_html(tmp_path: Path, head: str) -> None:
    """In HTML such a name is text, as it is for a browser."""
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    declared = head.format(f'<!ENTITY x SYSTEM "{secret.as_uri()}">')
    parsed = parse(f"{declared}<html><p>Before &x; after.</p></html>".encode(), "a.xhtml")
    assert SECRET not in parsed.text
    assert "Before &x; after." in parsed.text


def lying() -> bytes:
    """A Word document with a part of five megabytes that says it has a thousand bytes."""
    main = with_part("word/document.xml", b" " * 5_000_000, docx(""))
    return main.replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))


def deep_xml() -> bytes:
    return word("<w:ins>" * 100_000 + paragraph("Deep.") + "</w:ins>" * 100_000)


def mails(count: int) -> bytes:
    """A mail in a mail in a mail."""
    message = mail("The innermost.")
    for _ in range(count):
        outer = mail("Outer.")
        outer.add_attachment(message)
        message = outer
    return bytes(message)


def parts(count: int) -> bytes:
    """A mail of one part in another in another."""
    lines = [f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(count)]
    return (
        "Message-ID: <1@x>\nFrom: a\nSubject: s\n" + "".join(lines) + "Content-Type: text/plain\n\nhello\n"
    ).encode()


def forwarded(count: int) -> bytes:
    """A mail that is nothing but another one, which is nothing but another one."""
    return (
        "Message-ID: <1@x>\nFrom: a\nSubject: s\n" + "Content-Type: message/rfc822\n\nTo: b\n" * count + "\nx"
    ).encode()


def laden(data: bytes) -> bytes:
    message = mail("Look inside.")
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename="bomb.docx")
    return bytes(message)


BOMB = with_part("word/document.xml", b" " * 5_000_000, docx(""))
UNFOLDED = r"has 5,00\d,\d+ bytes when unfolded, and at most 1,000,000 are taken: split it, or raise Limits.size_bytes"
DEEP = "nests elements over 200 deep: it is broken or hostile, or raise Limits.nesting"
PARTS = "has parts within parts, too deep to be read: it is broken or hostile"
GET_AGAIN = "get it again from where it came"


@pytest.mark.parametrize(
    ("made", "name", "kind", "message"),
    [
        (lambda: BOMB, "a.docx", DocumentTooLarge, UNFOLDED),
        (lying, "a.docx", CorruptDocument, rf"is not a Word document .*CRC-32.*: {GET_AGAIN}"),
        (
            deep_xml,
            "a.docx",
            CorruptDocument,
            rf"is not a Word document .*depth.*: {GET_AGAIN}",
        ),
        (
            lambda: laden(BOMB),
            "a.eml",
            DocumentTooLarge,
            f"cannot be read for an attachment: Document 'bomb.docx' {UNFOLDED}",
        ),
        (
            lambda: mails(7),
            "a.eml",
            DocumentTooLarge,
            r"cannot be read for an attachment: .* has mails within mails, over 5 deep",
        ),
        (lambda: parts(5000), "a.eml", DocumentTooLarge, PARTS),
        (lambda: forwarded(5000), "a.eml", DocumentTooLarge, PARTS),
        (
            lambda: b"Message-ID: <1@x>\nFrom: a\nContent-Type: text/plain" + b"; a=b" * 100_000 + b"\n\nText.\n",
            "a.eml",
            CorruptDocument,
            rf"has a header 'Content-Type' of 500,024 bytes: {GET_AGAIN}",
        ),
        (lambda: b"<html>" + b"<div>" * 100_000 + b"x", "a.html", DocumentTooLarge, DEEP),
        (lambda: b"<html>" + b"<table><tr><td>" * 100_000, "a.html", DocumentTooLarge, DEEP),
        (lambda: b">" * 100_000 + b" x", "a.md", DocumentTooLarge, DEEP.replace("elements", "quotes and lists")),
        (lambda: pages_of(20_001), "a.pdf", DocumentTooLarge, r"has 20,001 pages, and at most 20,000 are taken: .*"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("a.") else "",
)
def test_bombs_and_depths_are_refused(
    made: Callable[[], bytes], name: str, kind: type[DocumentRefused], message: str
) -> None:
    """What is small and unfolds, and what goes deeper than anybody writes, is refused at once, with what to do."""
    error = refused(made(), name, SMALL if b"bomb" in made() or made() == BOMB else None)
    assert type(error) is kind
    assert re.fullmatch(f"Document '{name}' {message}", error.message), error.message


def test_depths_that_people_write_are_read() -> None:
    """Tables within tables, lists within lists, quotes of quotes, and mails passed on: all of their text is there."""
    table, end = "<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"
    assert parse(word(table * 20 + paragraph("Deep.") + end * 20), "a.docx").text == "Deep."
    assert parse(b"<html>" + b"<div>" * 150 + b"Deep.", "a.html").text == "Deep."
    assert parse(b">" * 60 + b" Deep.", "a.md").text == "Deep."
    lists = "\n".join("  " * depth + f"- item {depth}" for depth in range(40))
    assert [text for _, _, text in shown(parse(lists.encode(), "a.md"))] == [f"• item {depth}" for depth in range(40)]
    assert parse(mails(4), "a.eml").text.rstrip().endswith("The innermost.")
    assert parse(parts(50), "a.eml").text.count("hello") == 1
    assert parse(forwarded(3), "a.eml").text.rstrip().endswith("x")


def test_a_mail_that_is_a_document() -> None:
    """A mail without any text of its own, all of which is one file, is read as that."""
    message = mail()
    message.set_content(docx(paragraph("The deed.")), maintype="application", subtype="octet-stream", filename="d.docx")
    parsed = parse(bytes(message), "a.eml")
    check(parsed)
    assert [text for _, _, text in shown(parsed)][-2:] == ["d.docx", "The deed."]


def test_ten_thousand_pages() -> None:
    """A PDF of ten thousand pages is read in seconds, and each page is known."""
    started = time.monotonic()
    parsed = parse(pages_of(10_000), "long.pdf")
    assert time.monotonic() - started < 60
    assert len(parsed.pages) == 10_000
    assert locate(line_of(9_999), parsed) == locate(line_of(9_999), parsed, parsed.pages[-1]) is not None


@pytest.mark.parametrize("kids", ["2 0 R", "2 0 R 2 0 R", "99 0 R", ""])
def test_pages_that_are_not_there(kids: str) -> None:
    """A tree of pages that holds itself, or nothing, comes to an end, and has no text."""
    error = refused(pages_of(1000, kids=kids), "a.pdf")
    assert error.message.startswith("Document 'a.pdf' ")


async def test_a_stream_that_unfolds() -> None:
    """A page whose content unfolds into a gigabyte ends its parser at most, and is refused or read without it."""
    packed = zlib.compress(zlib.compress(b" " * 500_000_000, 9), 9)
    stream = b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (len(packed), packed)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>"
    tree = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    data = pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", tree, page, stream])
    assert len(data) < 20_000
    with pytest.raises(DocumentRefused, match=r"Document 'a\.pdf' "):
        await parsed_apart(data, "a.pdf", None, Limits(memory_bytes=600_000_000, seconds=60))


SEEDS: dict[str, Callable[[], bytes]] = {
    "a.pdf": lambda: pdf(("1. Duties", "B", 12), ("Keep the lamp lit.", "", 11), None, ("2. Fees", "B", 12)),
    "a.docx": lambda: docx(paragraph("1. Duties") + paragraph("Keep the lamp lit.", bold=True), styles=""),
    "a.html": lambda: b"<html><h1>Duties</h1><ul><li>Keep<table><tr><td>the<td>lamp</table></ul><pre>lit</pre></html>",
    "a.md": lambda: b"# Duties\n\n- Keep\n  1. the\n\n> lamp\n\n| a | b |\n|---|---|\n| c | d |\n",
    "a.eml": lambda: laden(docx(paragraph("Keep the lamp lit."))),
    "a.txt": lambda: CONTRACT.encode(),
}


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_read_or_refused(name: str) -> None:
    """However a file was cut off or altered, it is read or refused, and never anything else."""
    whole, chance = SEEDS[name](), random.Random(20260101)
    for turn in range(150):
        data = bytearray(whole)
        if turn % 3 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.choice((1, 3, 20))):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(DocumentRefused):
            check(parse(bytes(data), name))


def noisy(text: str, chance: random.Random, share: float) -> str:
    """A text as it comes out of bad recognition: letters taken for others, marks that are dirt, broken lines."""
    taken_for = {"l": "1", "1": "l", "O": "0", "0": "O", "m": "rn", "e": "c", "S": "5", "i": "í", "a": "ä", ",": "."}
    made: list[str] = []
    for letter in text:
        if chance.random() >= share:
            made.append(letter)
        elif letter == " ":
            made.append(chance.choice(("  ", "\n", " | ", " ~ ", "\xa0", "\x0c")))
        else:
            made.append(taken_for.get(letter, chance.choice((letter, letter, "■", "\x07", "\ufffd"))))
    return "".join(made)


@pytest.mark.parametrize("seed", range(5))
def test_the_noise_of_recognition_is_tolerated(seed: int) -> None:
    """A contract that was badly recognised is read whole, has most of its clauses still, and says what it says."""
    whole = parse(CONTRACT.encode(), "a.txt")
    parsed: ParsedDocument = parse(noisy(CONTRACT, random.Random(seed), 0.02).encode(), "noisy.txt")
    check(parsed)
    before = {clause.number for clause in whole.clauses if clause.number}
    after = {clause.number for clause in parsed.clauses if clause.number}
    assert len(before & after) >= 0.7 * len(before)
    assert parsed.warnings == ()
