"""Mail addresses: read strictly, because what is not an address may be an attempt to inject headers or recipients.

    ada@example.com        Ada Lovelace <ada@example.com>        "Lovelace, Ada" <ada@example.com>

An address is what RFC 5321 and 6531 call a mailbox: a dot-atom, `@`, and a domain. Quoted local parts (`"a b"@c`) and
address literals (`a@[127.0.0.1]`) are not supported.
"""

from __future__ import annotations

import dataclasses
import email.headerregistry
import re
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Address", "MailAddress", "find_control"]

_MAXIMUM_LOCAL_BYTES = 64
_MAXIMUM_ADDRESS_BYTES = 254

# Control characters, and what Python or a mail program may take for the end of a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAILBOX = re.compile(
    r"\s*(?:(?P<name>\"(?:[^\"\\]|\\.)*\"|[^<>\"@,;:]*?)\s*<(?P<inner>[^<>]*)>|(?P<bare>[^<>\s]+))\s*"
)
_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x9f\s])+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@dataclasses.dataclass(frozen=True)
class Address:
    """One address.

    Attributes:
        name: Display name, without quotes; may be empty.
        local: What stands before the `@`.
        domain: In ASCII; an internationalised domain is in its Punycode form.
    """

    name: str
    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address that a text holds.

        Raises:
            ValueError: It holds none, or more than one.
        """
        if control := find_control(text):
            raise ValueError(f"mail address {text[:200]!r} holds {control}")
        match = _MAILBOX.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:200]!r} is not one mail address: write name@domain or Name <name@domain>")
        name = match["name"] or ""
        if name.startswith('"'):
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        spec = match["inner"] if match["bare"] is None else match["bare"]
        local, at, domain = spec.rpartition("@")
        try:
            ascii_domain = domain.encode("idna").decode() if domain else ""
        except UnicodeError:
            ascii_domain = ""
        if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(ascii_domain):
            raise ValueError(f"{text[:200]!r} is not a mail address: write name@domain or Name <name@domain>")
        address = cls(name, local, ascii_domain.lower())
        if len(local.encode()) > _MAXIMUM_LOCAL_BYTES or len(address.spec.encode()) > _MAXIMUM_ADDRESS_BYTES:
            raise ValueError(f"mail address {text[:200]!r} is longer than mail allows")
        return address

    @property
    def spec(self) -> str:
        """The address alone, as the envelope has it."""
        return f"{self.local}@{self.domain}"

    @property
    def header(self) -> email.headerregistry.Address:
        """The address as a header has it."""
        return email.headerregistry.Address(self.name, self.local, self.domain)


def find_control(text: str) -> str | None:
    """Say which control character or line break a text holds; None if none."""
    match = _CONTROL.search(text)
    return f"a line break or control character (U+{ord(match[0]):04X})" if match else None


def _checked(text: str) -> str:
    Address.parse(text)
    return text


MailAddress = Annotated[str, AfterValidator(_checked)]
"""A field that holds one address, with or without a display name."""
