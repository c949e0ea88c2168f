"""What is paid for once, recorded, replayed, and counted: in steps, records and bills."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic_core
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import array

    import pytest
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from tests.llm.scripted import Scripted, dies, refuses, says, status

    from segue.activities import Capacity, Policy, System, llm, objects
    from segue.activities.llm import Chat, Completion, Embed, Embeddings, Message, Recording, Usage
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

pytest.importorskip("obstore")

QUEUE = "llm-paid"
oracle = System(
    "llm-test-oracle",
    policy=Policy(initial_interval=timedelta(milliseconds=20), start_to_close_timeout=timedelta(seconds=20)),
)
bounded = llm.ModelConnector(System("llm-test-bounded", capacity=Capacity(per_second=50, concurrent=1)))
impatient = llm.ModelConnector(
    System("llm-test-impatient", policy=Policy(start_to_close_timeout=timedelta(seconds=5), maximum_attempts=2))
)


@oracle.activity
async def stumble(chat: Chat) -> Completion:
    """Ask, and fail the first time after the answer has come."""
    completion = (await llm.chat(chat)).completion
    if activity.info().attempt == 1:
        raise RuntimeError("stumbled")
    return completion


@workflow.defn
class Stumble:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(stumble, chat)


@workflow.defn
class AskBounded:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(bounded.complete, chat)


@workflow.defn
class AskImpatiently:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(impatient.complete, chat)


@workflow.defn
class MakeVectors:
    @workflow.run
    async def run(self, embed: Embed) -> Embeddings:
        return await workflow.execute_activity(llm.embed, embed)


WORKFLOWS = [Stumble, AskBounded, AskImpatiently, MakeVectors]
ACTIVITIES: list[Callable[..., Any]] = [stumble, llm.complete, llm.embed, *bounded.activities, *impatient.activities]


@pytest.fixture
async def serving(client: Client) -> AsyncIterator[Client]:
    async with Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield client


def question(provider: Scripted, store: Path | None, text: str = "What next?", **fields: Any) -> Chat:
    return Chat.model_validate(
        {"model": provider.guarded(), "messages": (Message.user(text),), "store": store and str(store)} | fields
    )


async def run(client: Client, workflow: Any, argument: Any) -> Any:
    return await client.execute_workflow(workflow, argument, id=str(uuid.uuid4()), task_queue=QUEUE)


async def test_an_attempt_that_fails_after_it_paid(serving: Client, provider: Scripted, tmp_path: Path) -> None:
    """The next attempt finds the answer that the one before was given."""
    completion = await run(serving, Stumble.run, question(provider, tmp_path))
    assert (completion.reused, provider.paid) == (True, 1)


@pytest.mark.parametrize("keep", ["inline", "digest"])
async def test_what_is_kept_nowhere_is_paid_for_again(
    serving: Client, provider: Scripted, keep: str, tmp_path: Path
) -> None:
    """Without a store, or where the answer may be kept nowhere, each attempt asks anew."""
    store = tmp_path if keep == "digest" else None
    completion = await run(serving, Stumble.run, question(provider, store, keep=keep))
    assert (completion.reused, provider.paid) == (False, 2)
    assert list(tmp_path.rglob("*")) == []


async def test_a_refusal_is_paid_for_once(serving: Client, provider: Scripted, tmp_path: Path) -> None:
    """What was answered is looked at anew, and is the same error: asking again would cost the same again."""
    provider.script(refuses(), "Not asked for.")
    asked = question(provider, tmp_path, key="mine")
    for _ in range(2):
        with pytest.raises(llm.Refused):
            await llm.chat(asked)
    assert provider.paid == 1
    assert (await llm.chat(asked.model_copy(update={"sample": 1}))).text == "Not asked for."


async def test_a_server_that_is_busy(serving: Client, provider: Scripted) -> None:
    """A step is tried again when the server has said, and not before; nothing was paid for in vain."""
    provider.script(status(429, retry_after="1"), dies("Half an"), "Whole.")
    asked = question(provider, None, keep="inline")
    completion = await run(serving, AskBounded.run, asked)
    assert (completion.text, provider.paid, len(provider.asked)) == ("Whole.", 2, 3)


async def test_a_stopped_server_is_noticed(serving: Client, provider: Scripted) -> None:
    """An error of a step names the model, holds what it cost, and holds no text."""
    provider.script(says("Half an answer of canary street", finish_reason="length"))
    with pytest.raises(Exception) as failed:  # noqa: PT011 - of the client, whose cause is looked at
        await run(serving, AskImpatiently.run, question(provider, None, keep="inline"))
    error: Any = failed.value.__cause__.__cause__  # type: ignore[union-attr]
    assert (error.type, error.non_retryable) == ("Truncated", True)
    assert list(error.details) == [
        {
            "engine": "scripted-1",
            "spent": {
                "input_tokens": 2,
                "output_tokens": 6,
                "cached_input_tokens": 0,
                "cost_usd": 1.4e-05,
                "calls": 1,
                "estimated": False,
            },
        }
    ]


async def test_a_recording(provider: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded is answered again without a server, at no cost; what was not says so."""
    provider.script("Recorded.", refuses())
    url = str(tmp_path / "recording")
    record, replay = (Recording.model_validate({"url": url, "mode": mode}) for mode in ("record", "replay"))
    asked = question(provider, None, keep="inline", recording=record)
    await llm.chat(asked)
    with pytest.raises(llm.Refused):
        await llm.chat(asked.model_copy(update={"sample": 1}))
    elsewhere = provider.model(base_url="http://127.0.0.1:9/v1")  # nothing listens there

    again = await llm.chat(asked.model_copy(update={"recording": replay, "model": elsewhere}))

    assert (again.text, again.completion.reused, provider.paid) == ("Recorded.", True, 2)
    with pytest.raises(llm.Refused):
        await llm.chat(asked.model_copy(update={"recording": replay, "sample": 1}))
    with pytest.raises(llm.NotRecorded) as missed:
        await llm.chat(question(provider, None, "Something else?", keep="inline", recording=replay))
    digest = missed.value.message.split("the prompt ")[1][:12]
    assert missed.value.message == (
        f"Model 'scripted-1': the prompt {digest} is not among the recorded ones in {url!r}: record it "
        "(mode='record'), or ask the model (mode='off')"
    )
    monkeypatch.setenv(llm.RECORDING_VARIABLE, f"replay:{url}")
    assert (await llm.chat(asked.model_copy(update={"recording": None}))).text == "Recorded."
    assert provider.paid == 2
    monkeypatch.setenv(llm.RECORDING_VARIABLE, url)
    with pytest.raises(Exception, match=r"SEGUE_LLM_RECORDING must be record:URL, replay:URL or off, not "):
        await llm.chat(asked.model_copy(update={"recording": None}))


async def test_vectors(serving: Client, provider: Scripted, tmp_path: Path) -> None:
    """Vectors are made in batches and go into an object; the history holds its reference."""
    lease = await objects.write(str(tmp_path / "lease.txt"), "a lease of land")
    embed = Embed(
        model=provider.guarded(), texts=("a lease", lease, "some money"), batch=2, store=str(tmp_path / "kept")
    )

    made = await run(serving, MakeVectors.run, embed)

    numbers = array.array("f", await objects.read(made.vectors))
    vectors = [list(numbers[start : start + made.dimensions]) for start in range(0, len(numbers), made.dimensions)]
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in (vectors[1], vectors[2]))
    assert (made.count, made.dimensions, made.engine) == (3, 32, "scripted-1")
    assert near > far
    assert made.usage == Usage(input_tokens=8, cost_usd=8e-06, calls=2)
    assert (provider.embedded, len(provider.server.requests)) == (3, 2)
    alone = await llm.embeddings(embed.model_copy(update={"key": "mine"}))
    again = await llm.embeddings(embed.model_copy(update={"key": "mine"}))
    assert (alone.values, provider.embedded) == (again.values, 6)
    assert list(alone.values[0]) == pytest.approx(vectors[0])


async def test_a_share_of_tokens(provider: Scripted) -> None:
    """A call waits until there are tokens for it; what was estimated is corrected by what was used."""
    provider.script(says("Hi", usage=(900, 100)))
    model = provider.guarded("share", tokens_per_minute=60_000)
    asked = question(provider, None, keep="inline", model=model, maximum_tokens=59_900)
    clock = activity_clock()
    for _ in range(2):
        await llm.chat(asked)
    # The first took almost all, and gave back what it did not use, but for some 1,000 tokens: a second's worth.
    assert 0.5 < clock() < 3


def activity_clock() -> Any:
    """How many seconds have passed since."""
    import time

    started = time.monotonic()
    return lambda: time.monotonic() - started


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that have ended. The process's own provider is left alone, for it can be set only once."""
    exporter = InMemorySpanExporter()
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("segue.activities.llm._telemetry._tracer", made.get_tracer("segue.activities.llm"))
    return exporter


async def test_a_call_is_a_span(provider: Scripted, spans: InMemorySpanExporter) -> None:
    """A span tells who was asked, what it took and what it cost, by the conventions for GenAI; it holds no text."""
    provider.script("A canary sings.", status(500))
    asked = question(provider, None, "canary", keep="inline", maximum_tokens=9, temperature=0.0)
    await llm.chat(asked)
    with pytest.raises(llm.ModelUnavailable):
        await llm.chat(asked)
    answered, failed = spans.get_finished_spans()
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "gen_ai.request.model": "scripted-1",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.split(":")[2].removesuffix("/v1")),
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.output.type": "text",
    }
    assert (answered.name, answered.kind) == ("chat scripted-1", trace.SpanKind.CLIENT)
    assert dict(answered.attributes or {}) == said | {
        "gen_ai.response.model": "scripted-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 3,
        "segue.cost_usd": 7e-06,
    }
    assert dict(failed.attributes or {}) == said | {"error.type": "ModelUnavailable"}
    assert failed.status.status_code == trace.StatusCode.ERROR


async def test_a_call_is_counted(server: WorkflowEnvironment, provider: Scripted) -> None:
    """In a step, tokens, time and cost go into the metrics of its worker."""
    buffer = MetricBuffer(1000)
    client = await Client.connect(
        server.client.service_client.config.target_host,
        plugins=[SeguePlugin(settings=Settings())],
        runtime=Runtime(telemetry=TelemetryConfig(metrics=buffer)),
    )
    async with Worker(client, task_queue="llm-counted", workflows=[AskBounded], activities=bounded.activities):
        chat = question(provider, None, keep="inline")
        await client.execute_workflow(AskBounded.run, chat, id=str(uuid.uuid4()), task_queue="llm-counted")

    counted = {
        (update.metric.name, update.attributes.get("gen_ai.token.type")): update
        for update in buffer.retrieve_updates()
        if update.attributes.get("gen_ai.request.model") == "scripted-1"
    }
    assert {key: update.value for key, update in counted.items() if "duration" not in key[0]} == {
        ("gen_ai.client.token.usage", "input"): 2,
        ("gen_ai.client.token.usage", "output"): 2,
        ("segue_model_cost_microdollars", None): 6,
    }
    duration = counted["gen_ai.client.operation.duration", None]
    assert (duration.attributes["activity_type"], duration.attributes["gen_ai.operation.name"]) == (
        "llm-test-bounded.complete",
        "chat",
    )


async def test_a_record_has_everything_but_the_key(serving: Client, provider: Scripted, tmp_path: Path) -> None:
    """A record of a step's call holds prompt and answer, says whose step it was, and holds no key."""
    await run(serving, Stumble.run, question(provider, tmp_path))
    [path] = tmp_path.glob("calls/*/*.json")
    call = llm.Call.model_validate_json(path.read_text())
    assert call.prompt_ref is not None
    prompt = pydantic_core.from_json(await objects.read(call.prompt_ref))
    assert prompt["messages"] == [{"role": "user", "content": "What next?"}]
    assert (call.text, call.engine, call.labels["activity_type"]) == ("An answer.", "scripted-1", "stumble")
    assert all("canary" not in file.read_text() for file in tmp_path.rglob("*") if file.is_file())
