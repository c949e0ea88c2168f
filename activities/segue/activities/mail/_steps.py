"""Sending a mail: once where a ledger is kept, else at least once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import activity

from segue.activities import objects
from segue.activities.deadline import time_left
from segue.activities.errors import Retryable, Terminal
from segue.activities.idempotency import claim, idempotency_key
from segue.activities.mail._addresses import Address
from segue.activities.mail._delivery import deliver
from segue.activities.mail._errors import MailConflict
from segue.activities.mail._message import files_of, message_of, needs_utf8
from segue.activities.mail._requests import Mail, Sent
from segue.activities.mail._server import SmtpServer
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["send", "system"]

# Where nothing bounds the attempt.
_DEFAULT_TIME: Final = timedelta(minutes=5)

system = System(
    "mail",
    policy=Policy(
        # A server may think for minutes about a mail that it was given (RFC 5321 4.5.3.2). Giving up on it before it
        # answers is what makes a mail arrive twice.
        start_to_close_timeout=timedelta(minutes=5),
        heartbeat_timeout=timedelta(seconds=30),
        # Greylisting servers refuse an unknown sender for some minutes; these attempts go on for about an hour.
        initial_interval=timedelta(seconds=2),
        maximum_interval=timedelta(minutes=5),
        maximum_attempts=20,
    ),
)


@system.activity(name="segue.mail.send")
async def send(mail: Mail) -> Sent:
    """Send a mail, and return who took it. Also for the code of your own activities.

    SMTP has no way to send once: if the connection breaks before the server has answered, nobody knows whether it took
    the mail, and the next attempt sends it again. Every attempt has the same Message-ID and the same bytes, by which
    receivers may drop the second; with a `ledger`, a mail that was marked as sent is not sent again.

    Recipients that the server refuses while it takes others are in the result, and are not tried again.

    Raises:
        MailRefused, MailUnavailable, MailTooLarge, MailConflict, InvalidSmtpServer: As their docstrings say.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: An attachment cannot be had, or the ledger.
        SecretError: The worker does not hold the server's URL.
        RuntimeError: Called outside an activity.
    """
    key = idempotency_key(mail.effect)
    message_id = f"<{key}@{Address.parse(mail.sender).domain}>"
    _only_one(mail, message_id)
    mark = objects.join(mail.ledger, f"{key}.json") if mail.ledger is not None else None
    if mark is not None and (sent := await _marked(mark)):
        return sent
    server = SmtpServer.of(mail.server)
    files = await files_of(mail.attachments)
    # The time at which the step was scheduled is the same for every attempt.
    message = message_of(mail, files, message_id, activity.info().scheduled_time)
    refused = await deliver(
        server,
        Address.parse(mail.sender).spec,
        mail.recipients,
        message,
        utf8=needs_utf8(mail),
        limit=time_left() or _DEFAULT_TIME,
    )
    addresses = {refusal.address for refusal in refused}
    sent = Sent(
        message_id=message_id,
        accepted=tuple(address for address in mail.recipients if address not in addresses),
        refused=refused,
    )
    if mark is not None:
        await _mark(mark, sent)
    return sent


def _only_one(mail: Mail, message_id: str) -> None:
    """Refuse a second mail of the same attempt under the same Message-ID: receivers would drop it unread."""
    if not claim(message_id, mail.model_dump_json().encode()):
        raise MailConflict(
            f"This step sends two mails to {', '.join(mail.recipients)} under the subject {mail.subject!r}, which "
            "receivers would take for one: give each another part"
        )


async def _marked(mark: str) -> Sent | None:
    try:
        return Sent.model_validate_json(await objects.read(mark, maximum_bytes=1024 * 1024))
    except objects.ObjectNotFound:
        return None


async def _mark(mark: str, sent: Sent) -> None:
    try:
        await objects.write(mark, sent.model_dump_json(), if_absent=True)
    except (Retryable, Terminal) as error:
        # The mail is out: failing now would send it again.
        activity.logger.warning("Mail %s is sent, but not marked as sent: %s", sent.message_id, error)
