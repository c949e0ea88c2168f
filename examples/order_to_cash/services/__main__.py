"""Run one of the systems that the orders pass through, as a process of its own.

    python -m examples.order_to_cash.services payments FOLDER --seed 7
    python -m examples.order_to_cash.services mail FOLDER --seed 7

It prints the address it listens on, keeps its ledger in the folder, and ends when its standard input does, so that it
never outlives whoever started it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from pathlib import Path

from examples.order_to_cash.services.ledger import MAIL, PAYMENTS
from examples.order_to_cash.services.mail import MailServer
from examples.order_to_cash.services.payments import Book, PaymentsServer


def payments(folder: Path, seed: int) -> None:
    """Take payments until standard input ends."""
    server = PaymentsServer(Book(folder / PAYMENTS, seed))
    print(f"127.0.0.1:{server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


async def mail(folder: Path, seed: int) -> None:
    """Take mail until standard input ends."""
    server = await asyncio.start_server(MailServer(folder / MAIL, seed).session, "127.0.0.1", 0)
    print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the system that is asked for."""
    parser = argparse.ArgumentParser(description="A system that the orders pass through.")
    parser.add_argument("system", choices=["payments", "mail"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.system == "mail":
        asyncio.run(mail(arguments.folder, arguments.seed))
    else:
        payments(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
