"""Mail: its headers, its body in one form, and its attachments as sections of their own."""

from __future__ import annotations

from tests.documents.files import docx, mail, paragraph
from tests.documents.texts import check, shown, titles

from segue.activities.documents import parse


def test_a_mail_and_its_attachments() -> None:
    """Headers come first, then the text, then each attachment that can be read; a warning names each that cannot."""
    message = mail("Hello,\n\nthe lamp is out.\n", html="<p>Hello</p>")
    message.add_attachment(
        docx(paragraph("The deed.")),
        maintype="application",
        subtype="vnd.openxmlformats-officedocument.wordprocessingml.document",
        filename="deed.docx",
    )
    message.add_attachment("1. Duties\n\nNone.\n", filename="duties.txt")
    message.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="gull.png")
    message.add_attachment(mail("An older mail.", subject="Before"))
    parsed = parse(bytes(message), "lamp.eml")
    check(parsed)
    assert parsed.media_type == "message/rfc822"
    assert shown(parsed) == [
        ("heading", "", "The lamp"),
        ("row", "", "From: Ann Lee <ann@saltmarsh.example>"),
        ("row", "", "To: keeper@northpier.example"),
        ("row", "", "Date: Tue, 03 Mar 2026 09:00:00 +0000"),
        ("text", "", "Hello,"),
        ("text", "", "the lamp is out."),
        ("heading", "", "deed.docx"),
        ("text", "", "The deed."),
        ("heading", "", "duties.txt"),
        ("heading", "1", "1. Duties"),
        ("text", "", "None."),
        ("heading", "", "message/rfc822 without a name"),
        ("heading", "", "Before"),
        ("row", "", "From: Ann Lee <ann@saltmarsh.example>"),
        ("row", "", "To: keeper@northpier.example"),
        ("row", "", "Date: Tue, 03 Mar 2026 09:00:00 +0000"),
        ("text", "", "An older mail."),
    ]
    assert titles(parsed) == [
        (1, "", "The lamp"),
        (1, "", "deed.docx"),
        (1, "", "duties.txt"),
        (2, "1", "Duties"),
        (1, "", "message/rfc822 without a name"),
        (2, "", "Before"),
    ]
    assert parsed.warnings == (
        "Attachment 'gull.png' was left out: Document 'gull.png' is an image: have its text recognised (OCR), and load "
        "the PDF or text that comes of it.",
    )


def test_a_mail_in_html_only() -> None:
    """Where a mail has no plain text, its HTML is read as it is shown."""
    parsed = parse(bytes(mail(html="<html><h2>Fog</h2><p>The <b>lamp</b> is out.</p></html>")), "fog.eml")
    check(parsed)
    assert shown(parsed)[-2:] == [("heading", "", "Fog"), ("text", "", "The lamp is out.")]


def test_headers_that_break_the_rules() -> None:
    """A header that is no header of its kind is shown as it stands."""
    data = b"Message-ID: <1@x>\nFrom: @@@\nDate: never\nSubject: =?utf-8?q?Geb=C3=BChr?=\n\nText.\n"
    parsed = parse(data, "odd.eml")
    check(parsed)
    assert [text for _, _, text in shown(parsed)] == ["Gebühr", "From: @@@", "Date: never", "Text."]
