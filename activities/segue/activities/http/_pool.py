"""One pool of connections for a worker's whole process, whichever system it talks to.

httpx ties its connections to the event loop that opened them, so there is one client for each loop: in a worker
that is one in all, in tests often one for each test.
"""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from weakref import WeakKeyDictionary

import httpx

__all__ = ["client", "close"]

_LIMITS: Final = httpx.Limits(
    # A worker's slots bound its requests. A bound here would let one slow system keep the others waiting.
    max_connections=None,
    max_keepalive_connections=100,
    keepalive_expiry=30,
)
_HEADERS: Final = {
    "user-agent": "segue",
    # `_body` decodes this, and counts what comes out. httpx would also offer what it cannot bound.
    "accept-encoding": "gzip",
}

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[ssl.SSLContext | None, httpx.AsyncClient]] = (
    WeakKeyDictionary()
)


def client(ssl_context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Return the client of the running event loop, for the default TLS settings or for these.

    Proxies and certificates come from the environment, as httpx reads it (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).
    """
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if ssl_context not in clients:
        clients[ssl_context] = httpx.AsyncClient(
            headers=_HEADERS,
            limits=_LIMITS,
            # A cookie that one run was given must not be sent with another's requests.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # Redirects are followed in `_exchange`, which knows what must not travel.
            follow_redirects=False,
            verify=ssl_context if ssl_context is not None else True,
        )
    return clients[ssl_context]


async def close() -> None:
    """Close the connections of the running event loop, as a stopping worker does. A later request opens new ones."""
    for one in _clients.pop(asyncio.get_running_loop(), {}).values():
        await one.aclose()
