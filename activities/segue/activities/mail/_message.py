"""The message of a mail: the same bytes for every attempt, so that a receiver can tell a repetition."""

from __future__ import annotations

import email.message
import email.policy
import urllib.parse
from collections.abc import Iterable
from datetime import datetime
from email.headerregistry import Group
from typing import Final

from segue.activities import objects
from segue.activities.mail._addresses import Address
from segue.activities.mail._errors import MailTooLarge
from segue.activities.mail._requests import Attachment, Mail

__all__ = ["MAXIMUM_ATTACHMENT_BYTES", "File", "files_of", "message_of", "needs_utf8"]

MAXIMUM_ATTACHMENT_BYTES: Final = 18 * 1024 * 1024
"""Most bytes of a mail's attachments together. They travel a third larger, and many servers take 25 MB."""

File = tuple[str, str, bytes]
"""Name, media type and content."""


async def files_of(attachments: Iterable[Attachment]) -> list[File]:
    """Return the attachments' names, media types and contents, from object storage.

    Raises:
        MailTooLarge: Together they are too large; those that are over the limit were not read.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: As their docstrings say.
    """
    files: list[File] = []
    size_bytes = 0
    for attachment in attachments:
        ref = (
            attachment.source
            if isinstance(attachment.source, objects.ObjectRef)
            else await objects.info(attachment.source)
        )
        size_bytes += ref.size_bytes
        if size_bytes > MAXIMUM_ATTACHMENT_BYTES:
            raise MailTooLarge(
                f"With {ref.url!r} the attachments have {size_bytes:,} bytes, and a mail takes at most "
                f"{MAXIMUM_ATTACHMENT_BYTES:,}: send a link instead"
            )
        content_type = attachment.content_type or ref.content_type or "application/octet-stream"
        files.append((attachment.name or _name_of(ref), content_type, await objects.read(ref)))
    return files


def _name_of(ref: objects.ObjectRef) -> str:
    name = ref.url.rpartition("/")[2]
    return urllib.parse.unquote(name) if ref.url.startswith("file:") else name


def needs_utf8(mail: Mail) -> bool:
    """Return whether an address is not ASCII before its `@`, so that the server must support RFC 6531."""
    addresses = (mail.sender, *mail.to, *mail.cc, *mail.bcc, *mail.reply_to)
    return not all(Address.parse(text).local.isascii() for text in addresses)


def message_of(mail: Mail, files: Iterable[File], message_id: str, date: datetime) -> bytes:
    """Return the message as it goes over the wire. It does not show the recipients in bcc."""
    # Seven bits arrive unharmed everywhere; the larger sets are encoded.
    policy = (email.policy.SMTPUTF8 if needs_utf8(mail) else email.policy.SMTP).clone(cte_type="7bit")
    message = email.message.EmailMessage(policy)
    message["From"] = Address.parse(mail.sender).header
    for name, addresses in (("Reply-To", mail.reply_to), ("To", mail.to), ("Cc", mail.cc)):
        if addresses:
            message[name] = [Address.parse(text).header for text in addresses]
    if not mail.to and not mail.cc:
        message["To"] = Group("undisclosed-recipients")
    message["Subject"] = mail.subject
    message["Date"] = date
    message["Message-ID"] = message_id
    for name, value in mail.headers.items():
        message[name] = value
    if mail.text is None:
        message.set_content(mail.html or "", subtype="html")
    else:
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
    for name, content_type, content in files:
        main, _, sub = content_type.partition(";")[0].strip().lower().partition("/")
        if main in ("message", "multipart") or not sub:  # these are structure, which bytes of one's own could break
            main, sub = "application", "octet-stream"
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    # Python draws them at random.
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{message_id[1:33]}_{number}")
    return message.as_bytes()
