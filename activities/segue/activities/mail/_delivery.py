"""The conversation with a mail server, held by smtplib in a thread, and ended when its time is over.

smtplib bounds the wait for each piece of an answer, so a server that drips could hold it for ever. Here the whole has a
limit; when that is over, or the step is cancelled, the connection is cut, which ends the thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from segue.activities.mail._errors import InvalidSmtpServer, MailRefused, MailUnavailable
from segue.activities.mail._requests import Refusal
from segue.activities.mail._server import SmtpServer

__all__ = ["deliver"]

_CONNECT_SECONDS: Final = 30.0
_MAXIMUM_REASON: Final = 300
_MAXIMUM_LISTED: Final = 5


async def deliver(
    server: SmtpServer, sender: str, recipients: Sequence[str], content: bytes, *, utf8: bool, limit: timedelta
) -> tuple[Refusal, ...]:
    """Hand a mail to its server, and return the recipients that it refused; it took the mail for the others.

    Args:
        server: The server.
        sender: Address of the envelope, for bounces.
        recipients: Addresses of the envelope.
        content: The message.
        utf8: Whether an address is not ASCII, which the server must support (RFC 6531).
        limit: Longest time for all of it.

    Raises:
        MailRefused: The server refuses the mail, the sender or every recipient for good.
        MailUnavailable: It cannot take the mail now, or not in time.
        InvalidSmtpServer: It is not the server that it should be.
    """
    conversation = _Conversation(server, limit.total_seconds())
    call = asyncio.ensure_future(asyncio.to_thread(conversation.hold, sender, recipients, content, utf8))
    # Seen, so that asyncio does not report the error of an abandoned conversation as forgotten.
    call.add_done_callback(lambda call: call.cancelled() or call.exception())
    try:
        await asyncio.wait({call}, timeout=limit.total_seconds())
        in_time = call.done()
    finally:
        if not call.done():
            conversation.cut()
    if not in_time:
        # A thread that looks up a name, or is in a handshake, cannot be ended; it will find that it was cut.
        await asyncio.wait({call}, timeout=1)
    if in_time or (call.done() and call.exception() is None):
        return await call
    raise conversation.unavailable(f"did not finish within {limit.total_seconds():g} s")


class _Client(smtplib.SMTP):
    """smtplib's client, whose connection can be cut while it is being made."""

    def __init__(self, conversation: _Conversation, timeout: float) -> None:
        self._conversation = conversation
        server = conversation.server
        super().__init__(server.host, server.port, local_hostname=server.local_hostname, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # The hook that smtplib's own TLS client uses.
        return self._conversation.connect(host, port, timeout)

    def data(self, msg: Any) -> tuple[int, bytes]:
        self._conversation.go_on()
        self._conversation.handed_over = True
        return super().data(msg)


class _Conversation:
    """One conversation.

    Attributes:
        server: With whom.
        handed_over: Whether the mail has been sent off, so that nobody knows its fate until the server answers.
    """

    def __init__(self, server: SmtpServer, seconds: float) -> None:
        self.server = server
        self.handed_over = False
        self._seconds = seconds
        self._context = None if server.security == "none" else server.ssl_context()
        self._client: _Client | None = None
        self._connection: socket.socket | None = None
        self._is_cut = False

    def hold(self, sender: str, recipients: Sequence[str], content: bytes, utf8: bool) -> tuple[Refusal, ...]:
        """Hold the whole conversation, in a thread."""
        try:
            # Longer than the whole may take, so that it is the cut that ends a wait.
            with contextlib.closing(_Client(self, self._seconds + 10)) as client:
                self._client = client
                self._introduce(client)
                if utf8 and not client.has_extn("smtputf8"):
                    raise smtplib.SMTPNotSupportedError("it does not support addresses that are not ASCII (SMTPUTF8)")
                options = ("SMTPUTF8", "BODY=8BITMIME") if utf8 else ()
                refused = client.sendmail(sender, recipients, content, options)
                # The mail is on its way, whatever becomes of the farewell.
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    client.quit()
                return _refusals(refused)
        except smtplib.SMTPRecipientsRefused as error:
            raise self._all_refused(_refusals(error.recipients)) from None
        except smtplib.SMTPResponseException as error:
            raise self._answered(error.smtp_code, _text(error.smtp_error)) from None
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused(f"Mail server {self.server.name} cannot take this mail: {error}") from None
        except ssl.SSLCertVerificationError as error:
            raise InvalidSmtpServer(
                f"The certificate of mail server {self.server.name} cannot be trusted: {error.verify_message}. If it "
                "is the right one, name the file of its authority by ?ca= in the server's URL"
            ) from None
        except ssl.SSLError as error:
            raise self.unavailable(f"makes no secure connection ({error.reason})") from None
        except smtplib.SMTPServerDisconnected:
            raise self.unavailable("closed the connection") from None
        except TimeoutError:
            raise self.unavailable(f"cannot be reached within {_CONNECT_SECONDS:g} s") from None
        except OSError as error:
            raise self.unavailable(f"cannot be reached: {error.strerror or error}") from None

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a connection, with TLS if it has it from the start."""
        self._connection = connection = socket.create_connection((host, port), _CONNECT_SECONDS)
        try:
            connection.settimeout(timeout)
            self.go_on()
            if self.server.security == "tls" and self._context is not None:
                secure = self._context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
                self._connection = connection = secure
                self.go_on()
                secure.do_handshake()
        except BaseException:
            connection.close()
            raise
        return connection

    def go_on(self) -> None:
        """End the conversation here if it was cut while its socket was out of reach."""
        if self._is_cut:
            raise smtplib.SMTPServerDisconnected

    def cut(self) -> None:
        """Cut the connection, from another thread. A mail that has not been handed over by now never will be."""
        self._is_cut = True
        connection = (self._client and self._client.sock) or self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def unavailable(self, problem: str, code: int | None = None) -> MailUnavailable:
        """Return an error that says what the server failed to do, and whether the mail may have gone out."""
        uncertain = self.handed_over and code is None
        doubt = ", after it was given the mail: it may have delivered it" if uncertain else ""
        return MailUnavailable(f"Mail server {self.server.name} {problem}{doubt}", code, uncertain=uncertain)

    def _introduce(self, client: _Client) -> None:
        client.ehlo_or_helo_if_needed()
        if self.server.security == "starttls":
            if not client.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError(
                    "it does not offer STARTTLS; if mail may go there in the clear, add ?starttls=false to its URL"
                )
            client.starttls(context=self._context)
            self.go_on()
            client.ehlo()
        if self.server.username is not None:
            client.login(self.server.username, self.server.password)

    def _answered(self, code: int, reason: str) -> MailRefused | MailUnavailable:
        answer = f"answered {code} {reason}"
        if code >= 500:
            return MailRefused(f"Mail server {self.server.name} {answer}", code)
        return self.unavailable(answer if code > 0 else "gave no answer of SMTP", code if code > 0 else None)

    def _all_refused(self, refusals: Sequence[Refusal]) -> MailRefused | MailUnavailable:
        listed = ", ".join(f"{each.address} ({each.code} {each.reason})" for each in refusals[:_MAXIMUM_LISTED])
        more = f" and {len(refusals) - _MAXIMUM_LISTED} more" if len(refusals) > _MAXIMUM_LISTED else ""
        problem = f"refused every recipient: {listed}{more}"
        # If one of them may be taken later, the mail is worth another attempt; the others are refused again then.
        later = next((each.code for each in refusals if each.code < 500), None)
        if later is None:
            return MailRefused(f"Mail server {self.server.name} {problem}", refusals[0].code)
        return self.unavailable(problem, later)


def _refusals(recipients: dict[str, tuple[int, bytes]]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(address=address, code=code, reason=_text(reason)) for address, (code, reason) in recipients.items()
    )


def _text(reply: bytes | str) -> str:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())[:_MAXIMUM_REASON]
