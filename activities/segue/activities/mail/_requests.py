"""What is asked of the mail system, and what it answers: checked before anything is scheduled."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from segue.activities.mail._addresses import Address, MailAddress, find_control
from segue.activities.mail._server import checked_reference
from segue.activities.objects import ObjectPrefix, ObjectRef, ObjectUrl

__all__ = ["MAXIMUM_RECIPIENTS", "Attachment", "Mail", "Refusal", "Sent"]

MAXIMUM_RECIPIENTS: Final = 100
"""Most recipients of one mail: what every server takes (RFC 5321 4.5.3.1.8)."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_MANAGED_HEADERS = frozenset(
    {
        "from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version",
        "content-type", "content-transfer-encoding", "content-disposition",
    }
)  # fmt: skip


def _one_line(text: str) -> str:
    if control := find_control(text):
        raise ValueError(f"must be one line, and holds {control}")
    return text


def _file_name(text: str) -> str:
    if not text or "/" in text or "\\" in text:
        raise ValueError(f"must be the name of a file, without a folder, not {text[:200]!r}")
    return _one_line(text)


Line = Annotated[str, AfterValidator(_one_line)]


class Attachment(BaseModel):
    """A file that goes with a mail.

    Attributes:
        source: The object, by its reference, against which the content is then verified, or by its URL.
        name: Name of the file; by default the last part of the object's key.
        content_type: Media type; by default the object's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: ObjectRef | ObjectUrl
    name: Annotated[str, AfterValidator(_file_name), Field(max_length=255)] | None = None
    content_type: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$")


class Mail(BaseModel):
    """A mail, and the server to hand it to.

    Attributes:
        sender: From whom; replies and bounces go there.
        to: Recipients that everybody sees.
        cc: Further recipients that everybody sees.
        bcc: Recipients that nobody else sees.
        reply_to: Where replies go instead.
        subject: One line.
        text: The body as plain text.
        html: The body as HTML. With both, a mail program shows the one it can.
        attachments: Files to go with it, from object storage.
        headers: Further headers, such as `List-Unsubscribe`.
        server: Where the server's URL is found: `env:NAME` or `file:/path`. A URL without a password may be given
            itself. See `SmtpServer`.
        ledger: Folder of objects in which to mark mails as sent, so that no attempt sends one again that is marked.
        part: Tells apart the mails of one step that go to the same recipients under the same subject.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sender: MailAddress
    to: list[MailAddress] = []
    cc: list[MailAddress] = []
    bcc: list[MailAddress] = []
    reply_to: list[MailAddress] = []
    subject: Line = ""
    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = []
    headers: dict[str, Line] = {}
    server: Annotated[str, AfterValidator(checked_reference)] = "env:SMTP_URL"
    ledger: ObjectPrefix | None = None
    part: str = ""

    @field_validator("headers")
    @classmethod
    def _further_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name[:200]!r} is not a header's name")
            if name.lower() in _MANAGED_HEADERS:
                raise ValueError(f"{name!r} is made of the mail's own fields")
        return headers

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("give text, html or both")
        recipients = len(self.recipients)
        if not recipients:
            raise ValueError("give a recipient, in to, cc or bcc")
        if recipients > MAXIMUM_RECIPIENTS:
            raise ValueError(
                f"has {recipients} recipients, and one mail goes to at most {MAXIMUM_RECIPIENTS}: send several"
            )
        return self

    @property
    def recipients(self) -> tuple[str, ...]:
        """All the addresses it goes to, each once, without display names."""
        return tuple(dict.fromkeys(Address.parse(text).spec for text in (*self.to, *self.cc, *self.bcc)))

    @property
    def effect(self) -> str:
        """What tells this mail apart from the others of its step; the same when an attempt words it differently."""
        told = "\0".join((*sorted(self.recipients), self.subject, self.part))
        return f"mail {hashlib.sha256(told.encode()).hexdigest()}"


class Refusal(BaseModel):
    """A recipient that the server did not take.

    Attributes:
        address: Whom.
        code: The server's reply code. From 500 on it is final; below, a later mail may be taken.
        reason: The server's words.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    code: int
    reason: str


class Sent(BaseModel):
    """A mail that the server has taken for at least one recipient.

    Attributes:
        message_id: Its Message-ID, the same for every attempt of the step.
        accepted: Recipients that the server took it for. It may still bounce.
        refused: Recipients that the server refused; they are not tried again.
    """

    model_config = ConfigDict(frozen=True)

    message_id: str
    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()
