"""The mail server: as much SMTP (RFC 5321) as it takes to send plain mail, and a box that takes each message once.

A message whose Message-ID it has seen is accepted and dropped, as mail servers with duplicate suppression do.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
from pathlib import Path
from typing import Final

from examples.order_to_cash.services.ledger import open_ledger
from examples.order_to_cash.services.mishaps import Mishap, mishap

__all__ = ["MISHAPS", "MailServer"]

MISHAPS: Final[tuple[Mishap, ...]] = ("busy", "cut")

_SCHEMA: Final = """
    CREATE TABLE deliveries (id INTEGER PRIMARY KEY, recipient TEXT, message_id TEXT, answer TEXT, mishap TEXT);
    CREATE TABLE mailbox (message_id TEXT PRIMARY KEY, recipient TEXT, subject TEXT, attachment TEXT);
"""


class MailServer:
    """Takes mail, and notes each message and each attempt at one."""

    def __init__(self, path: Path, seed: int) -> None:
        self._seed = seed
        self._ledger = open_ledger(path)
        self._ledger.executescript(_SCHEMA)

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold the conversation of one connection."""
        recipient = ""

        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mail.example.com ready")
        with contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode().strip():
                match line.upper().split()[0]:
                    case "EHLO" | "HELO":
                        say("250 mail.example.com")
                    case "MAIL" | "RSET" | "NOOP":
                        say("250 2.0.0 OK")
                    case "RCPT":
                        recipient = line.partition("<")[2].partition(">")[0]
                        say("250 2.1.5 OK")
                    case "DATA":
                        say("354 end with a dot")
                        content = await reader.readuntil(b"\r\n.\r\n")
                        found = self._take(recipient, content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
                        if found == "cut":
                            break
                        say("451 4.3.2 busy, try again later" if found == "busy" else "250 2.0.0 delivered")
                    case "QUIT":
                        say("221 2.0.0 bye")
                        break
                    case _:
                        say("502 5.5.1 not here")
                await writer.drain()
        writer.close()

    def _take(self, recipient: str, content: bytes) -> Mishap | None:
        message = email.message_from_bytes(content, policy=email.policy.default)
        key = str(message["Message-ID"])
        [[earlier]] = self._ledger.execute("SELECT count(*) FROM deliveries WHERE recipient = ?", (recipient,))
        found = mishap(self._seed, recipient, MISHAPS, earlier)
        answer = "busy"
        if found != "busy":
            attachment = next((part.get_filename() for part in message.iter_attachments()), None)
            taken = self._ledger.execute(
                "INSERT OR IGNORE INTO mailbox VALUES (?, ?, ?, ?)",
                (key, recipient, str(message["Subject"]), attachment),
            )
            answer = "delivered" if taken.rowcount else "duplicate"
        self._ledger.execute(
            "INSERT INTO deliveries (recipient, message_id, answer, mishap) VALUES (?, ?, ?, ?)",
            (recipient, key, answer, found),
        )
        return found
