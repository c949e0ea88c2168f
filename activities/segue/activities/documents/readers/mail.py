"""Mail (RFC 5322, MIME): its headers, its text or else its HTML, and its attachments as further sections.

    reading = mail.read(data, name, limits, read_part, warnings)

An attachment that no reader takes is left out, and a warning names it.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage, MIMEPart
from typing import Final

from segue.activities.documents.errors import CorruptDocument, DocumentRefused, DocumentTooLarge
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers import characters, html, plain
from segue.activities.documents.structure.blocks import Reading, Writer

__all__ = ["read"]

_HEADERS: Final = ("From", "To", "Cc", "Date")
_DEEPEST: Final = 5
_MOST_PARTS: Final = 1000
# What the standard library takes apart a header in grows with the square of its length: this much takes a second.
_LONGEST_HEADER: Final = 10_000
_OF_PARTS: Final = re.compile(rb"^(content-[\w-]+):[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)

ReadPart = Callable[[bytes, str, str], Reading]


def read(data: bytes, name: str, limits: Limits, read_part: ReadPart, warnings: list[str], depth: int = 0) -> Reading:
    """Return the text of a mail, and its blocks.

    Args:
        data: The mail.
        name: Its name.
        limits: What is refused.
        read_part: Reads an attachment, given its bytes, name and media type.
        warnings: Filled with what was left out.
        depth: How many mails this one is attached to, one within the other.

    Raises:
        CorruptDocument: It has no headers, or one that nobody would write.
        DocumentTooLarge: It has too many parts, or mails within mails too deep.
    """
    _check(data, name)
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys():
        raise CorruptDocument(f"Document {name!r} is no mail: it has no headers", name)
    writer = Writer()
    writer.warnings = warnings
    subject = _header(message, "Subject")
    writer.block(subject or "(no subject)", level=1)
    for header in _HEADERS:
        if value := _header(message, header):
            writer.block(f"{header}: {value}", kind="row", separator="\n")
    body = message.get_body(preferencelist=("plain", "html"))
    if body is not None:
        writer.append(_body(body, name, limits, warnings), below=1)
    for count, part in enumerate(_attachments(message, body)):
        if count >= _MOST_PARTS:
            raise DocumentTooLarge(f"Document {name!r} has over {_MOST_PARTS:,} attachments", name)
        _attachment(part, name, limits, read_part, writer, depth)
    return writer.reading()


def _check(data: bytes, name: str) -> None:
    """Refuse headers of parts that would take for ever to take apart, which reading the mail does."""
    for header in _OF_PARTS.finditer(data):
        if len(header[0]) > _LONGEST_HEADER:
            raise CorruptDocument(
                f"Document {name!r} has a header {header[1].decode()!r} of {len(header[0]):,} bytes: get it again from "
                "where it came",
                name,
            )


def _body(body: MIMEPart, name: str, limits: Limits, warnings: list[str]) -> Reading:
    content = _content(body)
    charset = body.get_content_charset()
    if body.get_content_type() == "text/html":
        text = plain.decoded(content, charset or html.declared_charset(content), warnings)
        return html.read(text, name, limits, warnings)
    return plain.read(plain.decoded(content, charset, warnings), warnings)


def _attachments(message: EmailMessage, body: MIMEPart | None) -> Iterator[MIMEPart]:
    """Yield the parts that are neither the text nor another form of it."""
    if body is message:
        return
    if message.get_content_maintype() != "multipart":  # all of it is one document, or another mail
        yield message
        return
    for part in message.iter_attachments():
        if part is body:
            continue
        if part.get_content_maintype() == "multipart":
            parts = [inner for inner in part.walk() if not inner.is_multipart()]
            # Beside the text stand its other forms, which have no names.
            within = any(inner is body for inner in parts)
            yield from (inner for inner in parts if not within or inner.get_filename() is not None)
        else:
            yield part


def _attachment(part: MIMEPart, name: str, limits: Limits, read_part: ReadPart, writer: Writer, depth: int) -> None:
    media_type = part.get_content_type()
    filename = characters.line(part.get_filename() or f"{media_type} without a name")
    if part.get_content_disposition() == "inline" and part.get_content_maintype() == "image":
        return
    warnings: list[str] = []
    try:
        if media_type == "message/rfc822":
            if depth >= _DEEPEST:
                raise DocumentTooLarge(f"Document {name!r} has mails within mails, over {_DEEPEST} deep", name)
            payload = part.get_payload(0)
            inner = payload.as_bytes() if isinstance(payload, MIMEPart) else b""
            reading = read(inner, filename, limits, read_part, warnings, depth + 1)
        else:
            reading = read_part(_content(part), filename, media_type)
    except DocumentTooLarge as error:
        if depth:
            raise
        raise DocumentTooLarge(f"Document {name!r} cannot be read for an attachment: {error.message}", name) from None
    except DocumentRefused as error:
        writer.warnings.append(f"Attachment {filename!r} was left out: {error.message}.")
        return
    writer.warnings.extend(f"Attachment {filename!r}: {warning}" for warning in reading.warnings)
    writer.block(filename, level=1)
    writer.append(Reading(reading.text, reading.blocks), below=1)


def _content(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(message: EmailMessage, name: str) -> str:
    """Return a header's value; one that breaks the rules, or is very long, as it stands."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    if len(raw) > _LONGEST_HEADER:
        return " ".join(characters.line(raw).split())
    # What breaks the rules may raise when it is taken apart, or come out as something else.
    with contextlib.suppress(ValueError, IndexError, AttributeError, TypeError, LookupError):
        value = message.get(name)
        if value is not None and not value.defects:
            raw = str(value)
    return " ".join(characters.line(raw).split())
