"""Workflows that ask models, on a real Temporal server: tools, another provider in place of one, shares, replays."""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker
from tests.llm.consulting import ACTIVITIES, WORKFLOWS, Consult, Consultation, GoElsewhere
from tests.llm.scripted import Scripted, calls, truncated
from tests.recorded import beginnings, recorded

from segue.activities import llm
from segue.activities.llm import Chat, Message
from segue.activities.llm._stream import events
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay

pytest.importorskip("obstore")

QUEUE = "llm-durable"


@pytest.fixture
async def serving(client: Client) -> AsyncIterator[Client]:
    async with Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield client


def consultation(provider: Scripted, store: Path) -> Consultation:
    return Consultation(small=provider.guarded("small"), large=provider.guarded("large"), store=str(store))


async def test_a_conversation_with_tools(
    serving: Client, provider: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A tool's answer goes back to the model; neither answers nor the key get into the history or the log."""
    caplog.set_level(logging.DEBUG)
    provider.script(calls(("weather", {"town": "Oslo"})), "It rains canaries.")
    asked = consultation(provider, tmp_path)

    handle = await serving.start_workflow(Consult.run, asked, id=str(uuid.uuid4()), task_queue=QUEUE)
    usage = await handle.result()

    assert (usage.calls, provider.paid, provider.embedded) == (3, 2, 1)
    assert provider.asked[1].last == {"role": "tool", "content": "Oslo: rain", "tool_call_id": "call-0"}
    assert "canar" not in (await handle.fetch_history()).to_json()
    assert "canar" not in caplog.text


async def test_another_provider(serving: Client, provider: Scripted, tmp_path: Path) -> None:
    """A workflow may go to another provider's system by the class of an answer's fault."""
    provider.script(truncated("There is"), "All of it.")
    asked = consultation(provider, tmp_path)
    engine = await serving.execute_workflow(GoElsewhere.run, asked, id=str(uuid.uuid4()), task_queue=QUEUE)
    assert (engine, provider.paid) == ("large", 2)


async def test_recorded_histories_replay() -> None:
    """Recorded histories replay with this version, whole and cut after each task; they hold no key and no answer."""
    whole = recorded("llm")
    histories = [*whole, *beginnings(whole)]
    assert len(whole) == 2
    assert await replay(histories, WORKFLOWS, SeguePlugin(settings=Settings())) == len(histories)
    for history in whole:
        text = history.to_json()
        assert "canary" not in text
        assert "It rains." not in text


async def test_a_share_that_is_used_up(provider: Scripted) -> None:
    """A call that would have to wait longer than its attempt may is given back to the server, with the time to wait."""
    model = provider.model("used-up", requests_per_minute=1)
    chat = Chat(model=model, messages=(Message.user("?"),), keep="inline")
    await ActivityEnvironment().run(llm.complete, chat)
    with pytest.raises(llm.ModelUnavailable) as failed:
        await ActivityEnvironment().run(llm.complete, chat)
    after = failed.value.after
    assert after is not None
    assert timedelta(seconds=50) < after <= timedelta(seconds=60)
    assert failed.value.message == (
        f"Model 'used-up': this worker's share of it is used up for the next {after.total_seconds():.0f} s "
        "(requests_per_minute, tokens_per_minute), and the attempt may not wait that long"
    )
    assert provider.paid == 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_events_in_any_pieces(data: st.DataObject) -> None:
    """However the network cuts a stream, within line ends and characters too, its events are the same."""
    stream = (
        'data: {"a": "naïve 📄"}\r\n\r\n: comment\r\rdata: one\ndata:  two\n\nevent: x\ndata: three\n\ndata: last'
    ).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def gathered() -> list[str]:
        return [event async for event in events(chunks())]

    assert asyncio.run(gathered()) == ['{"a": "naïve 📄"}', "one\n two", "three", "last"]


STARTER = """
import asyncio, os
from segue.activities import llm

async def main():
    async with llm.local_model() as model:
        print(model.base_url, flush=True)
        os._exit(1)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(llm.local_model_problem() is not None, reason=llm.local_model_problem() or "")
async def test_a_local_server_ends_with_its_starter() -> None:
    """The local model's server ends by itself when whoever started it has died."""
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, stdout=asyncio.subprocess.PIPE)
    told, _ = await starter.communicate()
    url = told.decode().strip()
    assert url.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient() as site:
        while await _answers(site, url):
            await asyncio.sleep(0.05)


async def _answers(site: httpx.AsyncClient, url: str) -> bool:
    try:
        await site.get(f"{url}/models")
    except httpx.TransportError:
        return False
    return True


async def test_no_local_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the local model is not installed, that is said, with the command that installs it."""
    monkeypatch.setattr("segue.activities.llm._local.SERVER_PACKAGE", "no_such_package")
    with pytest.raises(llm.LocalModelMissing) as missing:
        async with llm.local_model():
            pass
    assert missing.value.message == (
        "The local model needs the package no_such_package, which is not installed: run `segue model setup`"
    )
