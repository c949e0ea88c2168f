"""What the payloads of a run hold, each decoded once, with a gap for what cannot be decoded here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext

from segue.client._failures import Decoded

__all__ = ["decode"]


async def decode(client: Client, workflow_id: str, payloads: Iterable[Payload]) -> Decoded:
    """Decode each different payload once. What cannot be decoded, for want of a key or a codec, is None."""
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    converter = client.data_converter.with_context(context)
    encoded = {payload.SerializeToString(deterministic=True): payload for payload in payloads}
    values: dict[bytes, Any] = {}

    async def one(key: bytes, payload: Payload) -> None:
        try:
            values[key] = (await converter.decode([payload]))[0]
        except Exception:  # a codec may raise anything, and a listing with a gap is better than none
            values[key] = None

    await asyncio.gather(*(one(key, payload) for key, payload in encoded.items()))
    return lambda payload: values.get(payload.SerializeToString(deterministic=True))
