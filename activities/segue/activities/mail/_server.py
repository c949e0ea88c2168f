"""The mail server, from a URL that only the worker knows.

    SMTP_URL=smtp://user:password@mail.example.com:587?starttls=true

    smtp://     port 587 with a user, else 25. The connection is made secure by STARTTLS, or not made, unless the server
                is on this machine or the URL says ?starttls=false
    smtps://    port 465, TLS from the start
    ?ca=FILE    file with the certificates of the authorities to trust, instead of the system's
    ?helo=NAME  name by which this machine greets; by default its host name

A password is never sent over a connection that is not secure, except on this machine.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import ssl
import urllib.parse
from typing import Final, Literal

from segue.activities.mail._errors import InvalidSmtpServer
from segue.activities.secrets import SecretRef

__all__ = ["SmtpServer", "checked_reference"]

Security = Literal["none", "starttls", "tls"]

_FORM: Final = "smtp://user:password@host:port?starttls=true, or smtps://..."
_SWITCH: Final = {"true": True, "1": True, "false": False, "0": False}
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


@dataclasses.dataclass(frozen=True)
class SmtpServer:
    """A mail server and how to reach it. Stays in the worker; `repr` does not show the password.

    Attributes:
        host: Name or IP address.
        port: TCP port.
        security: How the connection is made secure.
        username: Whom to log in as; None not to log in.
        password: The password.
        ca_file: File with the certificates to trust; None for the system's.
        local_hostname: How to greet; None for this machine's name.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str = dataclasses.field(default="", repr=False)
    ca_file: str | None = None
    local_hostname: str | None = None

    @classmethod
    def of(cls, reference: str) -> SmtpServer:
        """Return the server that a reference names. The URL is read anew every time.

        Raises:
            SecretError: The worker does not hold the URL.
            InvalidSmtpServer: It is no URL of a mail server.
        """
        secret = reference.startswith(("env:", "file:"))
        url = SecretRef(reference).resolve().strip() if secret else reference
        try:
            return cls.from_url(url)
        except ValueError as error:
            # The parser's own error may hold the URL, so only what is said here goes on.
            where = repr(reference) if secret else "that was given"
            raise InvalidSmtpServer(f"The URL of the mail server {where} is wrong: {error}") from None

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """Return the server that a URL states.

        Raises:
            ValueError: It is no URL of a mail server. The message does not repeat it.
        """
        if re.search(r"\s", url):
            raise ValueError("it holds a space or line break")
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
            query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ValueError(f"write {_FORM}") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not _HOST.fullmatch(parts.hostname):
            raise ValueError(f"write {_FORM}")
        if parts.path not in ("", "/") or parts.fragment:
            raise ValueError("it has a path; if the password holds '/', '#' or '?', write %2F, %23 or %3F")
        if query.keys() - {"starttls", "ca", "helo"}:
            # Which one is not said: it may be what stands behind a '?' in a password.
            raise ValueError("it has an option other than starttls, ca and helo")
        user = urllib.parse.unquote(parts.username) if parts.username else None
        local = is_local(parts.hostname)
        security: Security = "tls" if parts.scheme == "smtps" else "none" if local else "starttls"
        if (switch := query.get("starttls")) is not None:
            if switch not in _SWITCH:
                raise ValueError("starttls is either true or false")
            if security == "tls":
                raise ValueError("smtps is TLS from the start: leave starttls out, or write smtp")
            security = "starttls" if _SWITCH[switch] else "none"
        if user is not None and security == "none" and not local:
            raise ValueError(
                "it would send the password over a connection that is not secure: leave starttls=false out"
            )
        return cls(
            host=parts.hostname,
            port=port or (465 if security == "tls" else 587 if user else 25),
            security=security,
            username=user,
            password=urllib.parse.unquote(parts.password or ""),
            ca_file=query.get("ca"),
            local_hostname=query.get("helo"),
        )

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def ssl_context(self) -> ssl.SSLContext:
        """Return what checks the server's certificate.

        Raises:
            InvalidSmtpServer: The file of certificates cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise InvalidSmtpServer(
                f"The certificates to trust for mail server {self.name} cannot be read from {self.ca_file!r}: "
                f"{error.strerror or 'no certificate in it'}"
            ) from None


def is_local(host: str) -> bool:
    """Return whether a host is this machine, so that nobody listens in between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_reference(reference: str) -> str:
    """Return a reference that may travel and be stored: one of a secret, or a URL without a user.

    Raises:
        ValueError: It is neither. Its text is not repeated, for it may be a URL with a password.
    """
    if reference.startswith(("smtp://", "smtps://")) and "@" not in reference:
        try:
            SmtpServer.from_url(reference)
        except ValueError as error:
            raise ValueError(f"the URL of the mail server is wrong: {error}") from None
    else:
        try:
            SecretRef(reference)
        except ValueError:
            raise ValueError(
                "a mail server is named by 'env:NAME' or 'file:/path', where its URL is, or by a URL without a user"
            ) from None
    return reference
