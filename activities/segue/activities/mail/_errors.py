"""What an answer of a mail server means: RFC 5321 calls 5yz replies permanent and 4yz transient.

Terminal
├── MailRefused            the server refuses the mail, the sender or every recipient for good
├── MailTooLarge           the attachments are too large
├── MailConflict           two mails of one step would have the same Message-ID
└── InvalidSmtpServer      the server's URL is no such URL, or the server is not the one it should be
Retryable
└── MailUnavailable        4yz, connection errors, timeouts
"""

from __future__ import annotations

from segue.activities.errors import Retryable, Terminal

__all__ = ["InvalidSmtpServer", "MailConflict", "MailRefused", "MailTooLarge", "MailUnavailable"]


class InvalidSmtpServer(Terminal):
    """The server's URL is wrong, or what answers there cannot be trusted. No part of the URL is repeated."""


class MailTooLarge(Terminal):
    """The attachments are larger than a mail may be."""


class MailConflict(Terminal):
    """A step sends two mails that receivers could not tell apart."""


class MailRefused(Terminal):
    """The server refuses for good.

    Attributes:
        code: Its reply code; None if it lacks what the mail needs.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class MailUnavailable(Retryable):
    """The server cannot take the mail now.

    Attributes:
        code: Its reply code; None if it gave none.
        uncertain: Whether the mail had been handed over, so that it may have been delivered nevertheless.
    """

    def __init__(self, message: str, code: int | None = None, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.uncertain = uncertain
