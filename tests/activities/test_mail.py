"""Mail, sent to real SMTP servers on loopback: good ones (aiosmtpd) and ones that misbehave in every phase."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email
import email.policy
import ssl
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from temporalio import workflow

# The sandbox runs this module anew for every run of its workflows, and the tools of the tests are not made for that.
with workflow.unsafe.imports_passed_through():
    import pydantic
    import pytest
    import trustme
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
    from temporalio.client import Client, WorkflowFailureError
    from temporalio.exceptions import ActivityError, ApplicationError
    from temporalio.testing import ActivityEnvironment
    from temporalio.worker import Worker

    from segue.activities import Policy, System, mail, objects
    from segue.activities.errors import classify
    from segue.activities.mail import (
        Attachment,
        InvalidSmtpServer,
        Mail,
        MailConflict,
        MailRefused,
        MailTooLarge,
        MailUnavailable,
        Refusal,
        Sent,
        SmtpServer,
    )
    from segue.activities.secrets import SecretError

SCHEDULED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def a_mail(**fields: Any) -> Mail:
    usual: dict[str, Any] = {"sender": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Hi"}
    return Mail(**usual | fields)


async def attempt(mail_: Mail, *, seconds: float = 10, number: int = 1) -> Sent:
    """One attempt of a step; the same step each time."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info,
        activity_id="send-1",
        attempt=number,
        scheduled_time=SCHEDULED,
        start_to_close_timeout=timedelta(seconds=seconds),
        schedule_to_close_timeout=None,
    )
    return await environment.run(mail.send, mail_)


class Mailbox:
    """What a mail server took, and what it answers.

    Attributes:
        received: Sender, recipients and content of each mail.
        recipients: Its answers to some recipients.
        answers: Its answers to the mails to come, "250 OK" after those; None cuts the connection.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, list[str], bytes]] = []
        self.recipients: dict[str, str] = {}
        self.answers: list[str | None] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        answer = self.recipients.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del session
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer is None or answer.startswith("250"):
            self.received.append((envelope.mail_from, list(map(str, envelope.rcpt_tos)), envelope.content))
        if answer is None:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 OK"
        return answer

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"pass/word", handled=False)

    @property
    def messages(self) -> list[EmailMessage]:
        """The mails, as a mail program reads them."""
        return [email.message_from_bytes(content, policy=email.policy.default) for _, _, content in self.received]


@contextlib.asynccontextmanager
async def serving(box: Mailbox, *, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncGenerator[str]:
    """A real SMTP server; gives its host and port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, hostname="mail.test", enable_SMTPUTF8=True, **options), "127.0.0.1", 0, ssl=implicit
    )
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncGenerator[str]:
    """A server that holds conversations of its own kind; gives its host and port."""
    ended = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        ended.set()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        # The connection was closed on the other side too: no thread is left holding it.
        await ended.wait()
    finally:
        server.close()


# What is sent


async def test_a_mail_arrives() -> None:
    """A mail arrives with its envelope, its headers and its body, and bcc shows nowhere."""
    box = Mailbox()
    async with serving(box) as address:
        sent = await attempt(
            a_mail(
                server=f"smtp://{address}",
                sender='"Shop, The" <shop@example.com>',
                to=["Ada Lovelace <ada@example.com>", "bob@example.com"],
                cc=["carl@example.com"],
                bcc=["dora@example.com", "Ada <ada@EXAMPLE.com>"],
                reply_to=["help@example.com"],
                subject="Your order",
                text="It is on its way.\n",
                headers={"List-Unsubscribe": "<https://example.com/u>"},
            )
        )
    everybody = ["ada@example.com", "bob@example.com", "carl@example.com", "dora@example.com"]
    assert sent == Sent(message_id=sent.message_id, accepted=tuple(everybody))
    [(sender, recipients, content)] = box.received
    assert (sender, recipients) == ("shop@example.com", everybody)
    assert content.decode("ascii").replace(sent.message_id, "<ID>").replace("\r\n", "\n") == (
        'From: "Shop, The" <shop@example.com>\n'
        "Reply-To: help@example.com\n"
        "To: Ada Lovelace <ada@example.com>, bob@example.com\n"
        "Cc: carl@example.com\n"
        "Subject: Your order\n"
        "Date: Mon, 23 Nov 2026 12:00:00 +0000\n"
        "Message-ID: <ID>\n"
        "List-Unsubscribe: <https://example.com/u>\n"
        'Content-Type: text/plain; charset="utf-8"\n'
        "Content-Transfer-Encoding: 7bit\n"
        "MIME-Version: 1.0\n"
        "\n"
        "It is on its way.\n"
    )


async def test_any_language() -> None:
    """Names, subjects, bodies and domains of any language arrive as they were, over seven-bit mail."""
    box = Mailbox()
    async with serving(box) as address:
        sent = await attempt(
            a_mail(
                server=f"smtp://{address}",
                sender="Käse-Laden <shop@käse.example>",
                to=["愛 <ada@example.com>"],
                subject="Grüße, und eine sehr lange Zeile mit 👩‍💻 darin, die umgebrochen werden muss " * 3,
                text="Grüße 👩‍💻\n" * 100,
                html="<p>Grüße 愛</p>",
            )
        )
    assert sent.message_id.endswith("@xn--kse-qla.example>")
    assert box.received[0][2].isascii()
    [message] = box.messages
    assert message["From"] == "Käse-Laden <shop@xn--kse-qla.example>"
    assert message["To"] == "愛 <ada@example.com>"
    assert message["Subject"] == "Grüße, und eine sehr lange Zeile mit 👩‍💻 darin, die umgebrochen werden muss " * 3
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == "Grüße 👩‍💻\n" * 100
    assert html.get_content().strip() == "<p>Grüße 愛</p>"


async def test_addresses_that_are_not_ascii() -> None:
    """An address that is not ASCII before its @ is sent by SMTPUTF8, and refused where the server lacks that."""
    box = Mailbox()
    a = a_mail(to=["grüße@example.com"])
    async with serving(box) as address:
        sent = await attempt(a.model_copy(update={"server": f"smtp://{address}"}))
    assert sent.accepted == ("grüße@example.com",)
    assert [
        (recipients, message["To"]) for (_, recipients, _), message in zip(box.received, box.messages, strict=True)
    ] == [(["grüße@example.com"], "grüße@example.com")]

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while await reader.readline():
            writer.write(b"250 mail.test\r\n")

    async with talking(old) as address:
        with pytest.raises(MailRefused) as raised:
            await attempt(a.model_copy(update={"server": f"smtp://{address}"}))
    assert raised.value.message == (
        f"Mail server {address} cannot take this mail: it does not support addresses that are not ASCII (SMTPUTF8)"
    )


async def test_attachments(tmp_path: Path) -> None:
    """Objects go along as attachments, by reference or URL, under their own or another name."""
    invoice = await objects.write(f"{tmp_path}/invoices/Rechnung ü.pdf", b"%PDF\xff\x00")
    await objects.write(f"{tmp_path}/raw", b"1")
    await objects.write(f"{tmp_path}/mail.eml", b"Subject: other\r\n\r\n")
    box = Mailbox()
    async with serving(box) as address:
        await attempt(
            a_mail(
                server=f"smtp://{address}",
                attachments=[
                    Attachment(source=invoice),
                    Attachment(source=f"{tmp_path}/raw", name="données.csv", content_type="text/csv"),
                    Attachment(source=f"{tmp_path}/mail.eml"),
                ],
            )
        )
    [message] = box.messages
    assert [
        (p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in message.iter_attachments()
    ] == [
        ("Rechnung ü.pdf", "application/pdf", b"%PDF\xff\x00"),
        ("données.csv", "text/csv", b"1"),
        ("mail.eml", "application/octet-stream", b"Subject: other\r\n\r\n"),
    ]


async def test_attachments_that_are_too_large(tmp_path: Path) -> None:
    """Attachments over the limit together are refused before they are read, and nothing is sent."""
    ref = await objects.write(f"{tmp_path}/a", bytes(10 * 1024 * 1024))
    box = Mailbox()
    async with serving(box) as address:
        with pytest.raises(MailTooLarge) as raised:
            await attempt(a_mail(server=f"smtp://{address}", attachments=[Attachment(source=ref)] * 2))
    assert raised.value.message == (
        f"With '{ref.url}' the attachments have 20,971,520 bytes, and a mail takes at most 18,874,368: send a link "
        "instead"
    )
    assert box.received == []


async def test_an_attachment_that_is_not_what_it_was(tmp_path: Path) -> None:
    """An attachment whose object has changed since it was referred to is not sent."""
    ref = await objects.write(f"{tmp_path}/a", b"1")
    await objects.write(f"{tmp_path}/a", b"2")
    box = Mailbox()
    async with serving(box) as address:
        with pytest.raises(objects.ObjectChanged):
            await attempt(a_mail(server=f"smtp://{address}", attachments=[Attachment(source=ref)]))
    assert box.received == []


async def test_only_hidden_recipients() -> None:
    """A mail with bcc alone says that its recipients are undisclosed."""
    box = Mailbox()
    async with serving(box) as address:
        await attempt(a_mail(server=f"smtp://{address}", to=[], bcc=["ada@example.com"]))
    assert box.messages[0]["To"] == "undisclosed-recipients:;"
    assert b"ada@" not in box.received[0][2]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (
            "subject",
            "a\r\nBcc: eve@example.com",
            "Value error, must be one line, and holds a line break or control character (U+000D)",
        ),
        ("subject", "a\u2028b", "Value error, must be one line, and holds a line break or control character (U+2028)"),
        (
            "headers",
            {"X-A": "1\n2"},
            "Value error, must be one line, and holds a line break or control character (U+000A)",
        ),
        ("headers", {"X:A": "1"}, "Value error, 'X:A' is not a header's name"),
        ("headers", {"bCC": "a@b"}, "Value error, 'bCC' is made of the mail's own fields"),
        (
            "to",
            ["a@example.com\r\nBcc: eve@example.com"],
            r"Value error, mail address 'a@example.com\r\nBcc: eve@example.com' holds a line break or control "
            "character (U+000D)",
        ),
        (
            "to",
            ["a@example.com, b@example.com"],
            "Value error, 'a@example.com, b@example.com' is not one mail address: write name@domain or "
            "Name <name@domain>",
        ),
        (
            "reply_to",
            ["A <a@example.com>, B <b@example.com>"],
            "Value error, 'A <a@example.com>, B <b@example.com>' is not one mail address: write name@domain or "
            "Name <name@domain>",
        ),
        ("sender", "shop", "Value error, 'shop' is not a mail address: write name@domain or Name <name@domain>"),
        ("sender", "a@@b", "Value error, 'a@@b' is not a mail address: write name@domain or Name <name@domain>"),
        ("cc", ["a@b..c"], "Value error, 'a@b..c' is not a mail address: write name@domain or Name <name@domain>"),
        ("cc", [".a@b"], "Value error, '.a@b' is not a mail address: write name@domain or Name <name@domain>"),
        ("bcc", ["a@[::1]"], "Value error, 'a@[::1]' is not a mail address: write name@domain or Name <name@domain>"),
        (
            "bcc",
            ["<a@b> SIZE=1"],
            "Value error, '<a@b> SIZE=1' is not one mail address: write name@domain or Name <name@domain>",
        ),
        ("bcc", [f"{'a' * 65}@b"], f"Value error, mail address '{'a' * 65}@b' is longer than mail allows"),
        ("to", [], "Value error, give a recipient, in to, cc or bcc"),
        (
            "to",
            [f"a{n}@b" for n in range(101)],
            "Value error, has 101 recipients, and one mail goes to at most 100: send several",
        ),
        ("text", None, "Value error, give text, html or both"),
        (
            "server",
            "smtp://user:5ecret@example.com",
            "Value error, a mail server is named by 'env:NAME' or 'file:/path', where its URL is, or by a URL without "
            "a user",
        ),
        (
            "server",
            "smtp://example.com/x",
            "Value error, the URL of the mail server is wrong: it has a path; if the password holds '/', '#' or '?', "
            "write %2F, %23 or %3F",
        ),
        ("password", "5ecret", "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_mail(field: str, value: object, problem: str) -> None:
    """A mail that would inject headers, has no proper address or holds a password is refused when it is made."""
    with pytest.raises(pydantic.ValidationError) as refused:
        a_mail(**{field: value})
    assert [error["msg"] for error in refused.value.errors()] == [problem]
    assert "5ecret" not in str(refused.value)
    assert "5ecret" not in str(classify(refused.value))


@pytest.mark.parametrize("name", ["", "a/b", "..\\b", "a\nb"])
def test_what_is_no_file_name(name: str) -> None:
    """An attachment's name is one line and names no folder."""
    with pytest.raises(pydantic.ValidationError):
        Attachment(source="a", name=name)


# Who takes it


async def test_some_recipients_are_refused() -> None:
    """Recipients that are refused are in the result with the server's words, and the others get the mail once."""
    box = Mailbox()
    box.recipients = {"bob@example.com": "550 5.1.1 No such\tuser", "carl@example.com": "451 4.7.1 Greylisted"}
    async with serving(box) as address:
        sent = await attempt(
            a_mail(server=f"smtp://{address}", to=["ada@example.com", "bob@example.com"], cc=["carl@example.com"])
        )
    assert sent == Sent(
        message_id=sent.message_id,
        accepted=("ada@example.com",),
        refused=(
            Refusal(address="bob@example.com", code=550, reason="5.1.1 No such user"),
            Refusal(address="carl@example.com", code=451, reason="4.7.1 Greylisted"),
        ),
    )
    assert [recipients for _, recipients, _ in box.received] == [["ada@example.com"]]


@pytest.mark.parametrize(
    ("second", "error", "code"), [("552 Full", MailRefused, 550), ("450 Busy", MailUnavailable, 450)]
)
async def test_every_recipient_is_refused(second: str, error: type[ApplicationError], code: int) -> None:
    """A mail that nobody takes is an error: a final one, unless a recipient may be taken later."""
    box = Mailbox()
    box.recipients = {"ada@example.com": "550 Unknown", "bob@example.com": second}
    async with serving(box) as address:
        with pytest.raises(error) as raised:
            await attempt(a_mail(server=f"smtp://{address}", to=["ada@example.com", "bob@example.com"]))
    number, _, word = second.partition(" ")
    assert raised.value.message == (
        f"Mail server {address} refused every recipient: ada@example.com (550 Unknown), "
        f"bob@example.com ({number} {word})"
    )
    assert isinstance(raised.value, MailRefused | MailUnavailable)
    assert (raised.value.code, raised.value.non_retryable) == (code, error is MailRefused)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("451 4.3.2 try later", MailUnavailable),
        ("421 4.3.0 shutting down", MailUnavailable),
        ("554 5.7.1 spam", MailRefused),
        ("552 5.3.4 too big", MailRefused),
    ],
)
async def test_the_mail_is_refused(answer: str, error: type[ApplicationError]) -> None:
    """The server's answer to the mail itself decides: 4yz is retried, 5yz is final."""
    box = Mailbox()
    box.answers = [answer]
    async with serving(box) as address:
        with pytest.raises(error) as raised:
            await attempt(a_mail(server=f"smtp://{address}"))
    assert raised.value.message == f"Mail server {address} answered {answer}"
    assert box.received == []


@pytest.mark.parametrize(
    ("greeting", "error", "problem"),
    [
        (b"421 4.3.2 busy\r\n", MailUnavailable, "answered 421 4.3.2 busy"),
        (b"554 5.3.2 no service\r\n", MailRefused, "answered 554 5.3.2 no service"),
        (b"", MailUnavailable, "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", MailUnavailable, "gave no answer of SMTP"),
    ],
)
async def test_greetings(greeting: bytes, error: type[ApplicationError], problem: str) -> None:
    """A server that greets with a refusal, or with something else, is told apart from one that is busy."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(greeting)

    async with talking(talk) as address:
        with pytest.raises(error) as raised:
            await attempt(a_mail(server=f"smtp://{address}"))
    assert raised.value.message == f"Mail server {address} {problem}"


async def test_a_server_that_is_down() -> None:
    """A server that cannot be reached is retried."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer

    async with talking(talk) as address:
        _, writer = await asyncio.open_connection(*address.split(":"))
        writer.close()
    with pytest.raises(MailUnavailable) as raised:
        await attempt(a_mail(server=f"smtp://{address}"))
    assert raised.value.message == f"Mail server {address} cannot be reached: Connection refused"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet for ever, a byte at a time, so that no single wait is long."""
    while not reader.at_eof() and not writer.is_closing():
        writer.write(b"220-")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("talk", "scheme"), [(silent, "smtp"), (dripping, "smtp"), (silent, "smtps")])
async def test_a_slow_server(talk: Talk, scheme: str) -> None:
    """A server that takes too long is given up shortly before the attempt is over, and its connection is closed."""
    async with talking(talk) as address:
        before = asyncio.get_running_loop().time()
        with pytest.raises(MailUnavailable) as raised:
            await attempt(a_mail(server=f"{scheme}://{address}"), seconds=0.5)
        assert asyncio.get_running_loop().time() - before < 5  # and not for as long as the server likes
    left = raised.value.message.removeprefix(f"Mail server {address} did not finish within ").removesuffix(" s")
    assert 0 < float(left) < 0.5
    assert not raised.value.uncertain


async def test_a_cancelled_step() -> None:
    """A cancelled step cuts the connection, so that nothing is sent afterwards."""
    reached = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await silent(reader, writer)

    async with talking(talk) as address:
        sending = asyncio.create_task(attempt(a_mail(server=f"smtp://{address}")))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_server_that_breaks_off_after_the_mail() -> None:
    """When the connection breaks before the answer, the error says that the mail may be out; the copies are alike."""
    box = Mailbox()
    box.answers = [None]
    async with serving(box) as address:
        a = a_mail(server=f"smtp://{address}", html="<p>Hi</p>")
        with pytest.raises(MailUnavailable) as raised:
            await attempt(a)
        assert raised.value.message == (
            f"Mail server {address} closed the connection, after it was given the mail: it may have delivered it"
        )
        assert raised.value.uncertain
        sent = await attempt(a, number=2)
    first, second = box.received
    assert first == second
    assert [message["Message-ID"] for message in box.messages] == [sent.message_id] * 2


# The server's URL


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://example.com", SmtpServer("example.com", 25, "starttls")),
        ("smtp://example.com?starttls=false", SmtpServer("example.com", 25, "none")),
        ("smtp://localhost:1025", SmtpServer("localhost", 1025, "none")),
        ("smtp://[::1]", SmtpServer("::1", 25, "none")),
        (
            "smtp://localhost?starttls=true&ca=/ca.pem&helo=me.test",
            SmtpServer("localhost", 25, "starttls", ca_file="/ca.pem", local_hostname="me.test"),
        ),
        ("smtp://ada%40x:p%2Fw@example.com/", SmtpServer("example.com", 587, "starttls", "ada@x", "p/w")),
        ("smtps://ada:pw@example.com", SmtpServer("example.com", 465, "tls", "ada", "pw")),
    ],
)
def test_urls(url: str, server: SmtpServer) -> None:
    """A URL says where the server is and how the connection is made secure: it is, except on this machine."""
    assert SmtpServer.from_url(url) == server
    assert "password" not in repr(server)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mail.example.com", "write smtp://user:password@host:port?starttls=true, or smtps://..."),
        ("smtp://user:5ecret@host:port", "write smtp://user:password@host:port?starttls=true, or smtps://..."),
        ("smtp://user:5ec/ret@host", "write smtp://user:password@host:port?starttls=true, or smtps://..."),
        ("smtp://u@host/5ecret", "it has a path; if the password holds '/', '#' or '?', write %2F, %23 or %3F"),
        ("smtp://host?5ecret=1", "it has an option other than starttls, ca and helo"),
        ("smtp://host?starttls=5ecret", "starttls is either true or false"),
        ("smtps://host?starttls=true", "smtps is TLS from the start: leave starttls out, or write smtp"),
        ("smtp://u:5e cret@host", "it holds a space or line break"),
        (
            "smtp://u:5ecret@host?starttls=false",
            "it would send the password over a connection that is not secure: leave starttls=false out",
        ),
    ],
)
async def test_urls_that_are_wrong(url: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the URL is said without repeating it, and with the reference where to mend it."""
    monkeypatch.setenv("SMTP_URL", url)
    with pytest.raises(InvalidSmtpServer) as raised:
        await attempt(a_mail())
    assert raised.value.message == f"The URL of the mail server 'env:SMTP_URL' is wrong: {problem}"
    assert "5ecret" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_no_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, the error says which one to set."""
    monkeypatch.delenv("SMTP_URL", raising=False)
    with pytest.raises(SecretError) as raised:
        await attempt(a_mail())
    assert raised.value.message == (
        "Secret 'env:SMTP_URL' is not set: set the variable SMTP_URL in the environment of the worker"
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return f"{tmp_path}/ca.pem"


def certified(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_secure_connection(
    authority: trustme.CA, ca_file: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over STARTTLS and over TLS from the start the server's certificate is checked, and the login is sent."""
    box = Mailbox()
    context = certified(authority, "localhost")
    if scheme == "smtp":
        server = serving(box, tls_context=context, require_starttls=True, authenticator=box.login)
    else:
        server = serving(box, implicit=context, authenticator=box.login, auth_require_tls=False)
    async with server as address:
        port = address.partition(":")[2]
        option = "&starttls=true" if scheme == "smtp" else ""
        monkeypatch.setenv("SMTP_URL", f"{scheme}://ada:pass%2Fword@localhost:{port}?ca={ca_file}{option}")
        sent = await attempt(a_mail())
    assert sent.accepted == ("ada@example.com",)
    assert box.logins == [(b"ada", b"pass/word")]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(
    ("trusted", "name", "problem"),
    [
        (False, "localhost", "unable to get local issuer certificate"),
        (True, "other.test", "Hostname mismatch, certificate is not valid for 'localhost'."),
    ],
)
async def test_a_server_that_cannot_be_trusted(
    authority: trustme.CA, ca_file: str, scheme: str, trusted: bool, name: str, problem: str
) -> None:
    """A certificate of an unknown authority or for another name ends the step before anything is sent."""
    box = Mailbox()
    context = certified(authority, name)
    options: dict[str, Any] = {"tls_context": context} if scheme == "smtp" else {"implicit": context}
    async with serving(box, **options) as address:
        port = address.partition(":")[2]
        query = ("starttls=true&" if scheme == "smtp" else "") + (f"ca={ca_file}" if trusted else "")
        with pytest.raises(InvalidSmtpServer) as raised:
            await attempt(a_mail(server=f"{scheme}://localhost:{port}?{query.rstrip('&')}"))
    assert raised.value.message == (
        f"The certificate of mail server localhost:{port} cannot be trusted: {problem}. If it is the right one, name "
        "the file of its authority by ?ca= in the server's URL"
    )
    assert box.received == []


async def test_a_server_without_tls() -> None:
    """A server that answers in the clear where TLS is expected is retried: it may be the wrong port of a right one."""
    box = Mailbox()
    async with serving(box) as address:
        with pytest.raises(MailUnavailable) as raised:
            await attempt(a_mail(server=f"smtps://{address}"))
    assert raised.value.message == f"Mail server {address} makes no secure connection (WRONG_VERSION_NUMBER)"


async def test_a_server_without_starttls() -> None:
    """A server that does not offer the security that was asked for gets nothing."""
    box = Mailbox()
    async with serving(box) as address:
        with pytest.raises(MailRefused) as raised:
            await attempt(a_mail(server=f"smtp://{address}?starttls=true"))
    assert raised.value.message == (
        f"Mail server {address} cannot take this mail: it does not offer STARTTLS; if mail may go there in the clear, "
        "add ?starttls=false to its URL"
    )
    assert box.received == []


async def test_a_server_that_wants_starttls(authority: trustme.CA) -> None:
    """A server that wants a secure connection and is not given one refuses for good."""
    box = Mailbox()
    async with serving(box, tls_context=certified(authority, "localhost"), require_starttls=True) as address:
        with pytest.raises(MailRefused) as raised:
            await attempt(a_mail(server=f"smtp://{address}"))
    assert raised.value.message == f"Mail server {address} answered 530 Must issue a STARTTLS command first"


async def test_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that is refused is final, and the password is in no message."""
    box = Mailbox()
    async with serving(box, authenticator=box.login, auth_require_tls=False) as address:
        monkeypatch.setenv("SMTP_URL", f"smtp://ada:5ecret@{address}")
        with pytest.raises(MailRefused) as raised:
            await attempt(a_mail())
    assert raised.value.message == (f"Mail server {address} answered 535 5.7.8 Authentication credentials invalid")


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    """A file of certificates that is not there is an error that names it."""
    with pytest.raises(InvalidSmtpServer) as raised:
        await attempt(a_mail(server=f"smtps://localhost?ca={tmp_path}/none.pem"))
    assert raised.value.message == (
        f"The certificates to trust for mail server localhost:465 cannot be read from '{tmp_path}/none.pem': "
        "No such file or directory"
    )


# Once, where it can be


async def test_a_ledger(tmp_path: Path) -> None:
    """A mail that is marked as sent in the ledger is not sent by a later attempt, which returns the same."""
    box = Mailbox()
    box.recipients = {"bob@example.com": "550 Unknown"}
    async with serving(box) as address:
        a = a_mail(server=f"smtp://{address}", to=["ada@example.com", "bob@example.com"], ledger=f"{tmp_path}/sent")
        first = await attempt(a)
        assert await attempt(a, number=2) == first
    assert len(box.received) == 1
    assert [path.name for path in (tmp_path / "sent").iterdir()] == [f"{first.message_id[1:33]}.json"]


async def test_a_ledger_that_fails_after_the_mail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the mail is out and cannot be marked, the step succeeds with a warning, for failing would send it again."""

    class Vandal(Mailbox):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            (tmp_path / "sent").write_text("a file where the folder should be")
            return await super().handle_DATA(server, session, envelope)

    async with serving(Vandal()) as address:
        sent = await attempt(a_mail(server=f"smtp://{address}", ledger=f"{tmp_path}/sent"))
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(
        f"Mail {sent.message_id} is sent, but not marked as sent: ObjectRefused: Cannot write object"
    )


async def test_mails_of_one_step() -> None:
    """Mails of one step to other people, or under another subject or part, have each their own Message-ID."""
    box = Mailbox()

    async def several(server: str) -> list[str]:
        mails = [
            a_mail(server=server),
            a_mail(server=server, to=["bob@example.com"]),
            a_mail(server=server, subject="Other"),
            a_mail(server=server, text="Other", part="2"),
            a_mail(server=server),
        ]
        return [(await mail.send(each)).message_id for each in mails]

    async with serving(box) as address:
        first = await ActivityEnvironment().run(several, f"smtp://{address}")
        again = await ActivityEnvironment().run(several, f"smtp://{address}")
    assert len(set(first)) == 4
    assert first[0] == first[4]
    assert again == first


async def test_mails_that_cannot_be_told_apart() -> None:
    """Two different mails to the same people under the same subject are refused before receivers drop one."""
    box = Mailbox()

    async def two(server: str) -> None:
        await mail.send(a_mail(server=server))
        await mail.send(a_mail(server=server, text="Other"))

    async with serving(box) as address:
        with pytest.raises(MailConflict) as raised:
            await ActivityEnvironment().run(two, f"smtp://{address}")
    assert raised.value.message == (
        "This step sends two mails to ada@example.com under the subject 'Hello', which receivers would take for one: "
        "give each another part"
    )
    assert len(box.received) == 1


# On a real Temporal server

notices = System("notices-mail-test", policy=Policy(start_to_close_timeout=timedelta(seconds=10)))


@notices.activity
async def notify_customer(address: str) -> Sent:
    """Send a mail from the code of an activity."""
    return await mail.send(a_mail(server=f"smtp://{address}"))


@notices.activity
async def notify_twice(address: str) -> None:
    """Send two mails that receivers would take for one, both at the same time."""
    here = f"smtp://{address}"
    await asyncio.gather(mail.send(a_mail(server=here)), mail.send(a_mail(server=here, text="Other")))


@workflow.defn
class NotifyTwice:
    @workflow.run
    async def run(self, address: str) -> None:
        await workflow.execute_activity(notify_twice, address)


@workflow.defn
class Notify:
    @workflow.run
    async def run(self, address: str) -> Sent:
        return await workflow.execute_activity(notify_customer, address)


@workflow.defn
class SendMail:
    @workflow.run
    async def run(self, request: Mail) -> Sent:
        return await workflow.execute_activity(mail.send, request)


async def test_a_step_outlives_a_bad_server(client: Client) -> None:
    """Busy, then cut off after the mail: the step goes on until it is taken, each copy with the same Message-ID."""
    box = Mailbox()
    box.answers = ["451 busy", None]
    queue = str(uuid.uuid4())
    async with (
        serving(box) as address,
        Worker(client, task_queue=queue, workflows=[Notify], activities=[notify_customer]),
    ):
        sent = await client.execute_workflow(Notify.run, address, id=queue, task_queue=queue)
    assert sent.accepted == ("ada@example.com",)
    assert len(box.received) == 2
    assert box.received[0] == box.received[1]
    assert box.messages[0]["Message-ID"] == sent.message_id


async def test_mails_sent_together_that_cannot_be_told_apart(client: Client) -> None:
    """Two different mails under one Message-ID are noticed also when a step sends them at the same time."""
    box = Mailbox()
    queue = str(uuid.uuid4())
    async with (
        serving(box) as address,
        Worker(client, task_queue=queue, workflows=[NotifyTwice], activities=[notify_twice]),
    ):
        with pytest.raises(WorkflowFailureError) as raised:
            await client.execute_workflow(NotifyTwice.run, address, id=queue, task_queue=queue)
    step = raised.value.cause
    assert isinstance(step, ActivityError)
    cause = step.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == (
        "MailConflict",
        "This step sends two mails to ada@example.com under the subject 'Hello', which receivers would take for one: "
        "give each another part",
    )
    assert len(box.received) <= 1


async def test_a_workflow_sends_a_mail(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow sends a mail under the policy of the mail system; its history holds the reference to the server."""
    box = Mailbox()
    queue = str(uuid.uuid4())
    async with serving(box) as address, Worker(client, task_queue=queue, workflows=[SendMail], activities=[mail.send]):
        monkeypatch.setenv("SMTP_URL", f"smtp://{address}")
        handle = await client.start_workflow(SendMail.run, a_mail(), id=queue, task_queue=queue)
        assert (await handle.result()).accepted == ("ada@example.com",)
    history = await handle.fetch_history()
    [step] = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert step.activity_type.name == "segue.mail.send"
    assert step.start_to_close_timeout.ToTimedelta() == timedelta(minutes=5)
    assert step.heartbeat_timeout.ToTimedelta() == timedelta(seconds=30)
    assert step.retry_policy.maximum_attempts == 20
    assert address not in history.to_json()


async def test_a_refusal_is_tried_once(client: Client) -> None:
    """A final refusal fails the step at once, with the server's words in the history."""
    box = Mailbox()
    box.recipients = {"ada@example.com": "550 5.1.1 Unknown"}
    queue = str(uuid.uuid4())
    async with serving(box) as address, Worker(client, task_queue=queue, workflows=[SendMail], activities=[mail.send]):
        request = a_mail(server=f"smtp://{address}")
        with pytest.raises(WorkflowFailureError) as raised:
            await client.execute_workflow(SendMail.run, request, id=queue, task_queue=queue)
    step = raised.value.cause
    assert isinstance(step, ActivityError)
    cause = step.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message, cause.non_retryable) == (
        "MailRefused",
        f"Mail server {address} refused every recipient: ada@example.com (550 5.1.1 Unknown)",
        True,
    )
