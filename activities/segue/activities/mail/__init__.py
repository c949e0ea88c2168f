"""Mail over SMTP: with attachments from object storage, a Message-ID that names the step, and refusals told apart.

    from segue.activities import mail

    sent = await workflow.execute_activity(
        mail.send,
        mail.Mail(sender="Shop <shop@example.com>", to=[order.email], subject="Your order", text=text, attachments=[
            mail.Attachment(source=invoice),
        ]),
    )

The server's URL stays in the worker, by default in its environment variable SMTP_URL:
`smtp://user:password@mail.example.com`. `docs/connectors-mail.md` says what is promised, and what SMTP cannot promise.
"""

from __future__ import annotations

from segue.activities.mail._addresses import MailAddress
from segue.activities.mail._errors import InvalidSmtpServer, MailConflict, MailRefused, MailTooLarge, MailUnavailable
from segue.activities.mail._message import MAXIMUM_ATTACHMENT_BYTES
from segue.activities.mail._requests import MAXIMUM_RECIPIENTS, Attachment, Mail, Refusal, Sent
from segue.activities.mail._server import SmtpServer
from segue.activities.mail._steps import send, system

__all__ = [
    # requests and results
    "Mail",
    "Attachment",
    "Sent",
    "Refusal",
    # the step, which is a function for activities too
    "send",
    "system",
    # fields, limits, the server
    "MailAddress",
    "MAXIMUM_ATTACHMENT_BYTES",
    "MAXIMUM_RECIPIENTS",
    "SmtpServer",
    # errors
    "InvalidSmtpServer",
    "MailConflict",
    "MailRefused",
    "MailTooLarge",
    "MailUnavailable",
]
