"""The idempotency key of a request: the step's own, which stands for one effect on one system."""

from __future__ import annotations

import dataclasses

from temporalio import activity

from segue.activities.http._errors import RequestRefused, shown
from segue.activities.http._exchange import Outgoing, origin
from segue.activities.http._requests import UNSAFE
from segue.activities.idempotency import claim, idempotency_key

__all__ = ["with_key"]


def with_key(outgoing: Outgoing, given: bool | str) -> Outgoing:
    """Return the request with its idempotency key.

    Raises:
        RequestRefused: The step's own key already stands for another effect on the same system, which would take
            the second request for a repetition of the first and drop it.
    """
    key = given
    if key is False or outgoing.method not in UNSAFE or "idempotency-key" in outgoing.headers:
        return outgoing
    if key is True:
        if not activity.in_activity():
            return outgoing
        key = idempotency_key()
        effect = f"{outgoing.method} {outgoing.url}\0".encode() + (outgoing.content or b"")
        if not claim(origin(outgoing.url), effect):
            raise RequestRefused(
                f"{outgoing.method} {shown(outgoing.url)} is another effect of this step on the same system, which "
                "would take it for the first: give each its own key, such as idempotency_key=idempotency_key('invoice')"
            )
    headers = outgoing.headers.copy()
    headers["idempotency-key"] = key
    return dataclasses.replace(outgoing, headers=headers)
