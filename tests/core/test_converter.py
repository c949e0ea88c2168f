"""The converter on a real server: what is too large, unreadable or altered stops before it does harm."""
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import multiprocessing
import os
import uuid
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    ExternalStorage,
    PayloadCodec,
    StorageDriver,
    StorageDriverClaim,
)
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import SharedStateManager, Worker

from segue.activities import PayloadError, Policy, System
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.converter import PAYLOAD_SIZE_LIMIT, SeguePayloadConverter

with workflow.unsafe.imports_passed_through():
    # An extension module, which cannot be imported anew for each run.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MEGABYTE = 1024 * 1024
TOO_LARGE = (
    "the value is 3,145,{rest} bytes{together}, and one call carries at most 2,097,152: store it as an object and send "
    "a reference to it"
)

press = System("press-converter-test", policy=Policy(maximum_attempts=3))


class Document(BaseModel):
    name: str
    text: str


class Signed(Document):
    signature: str = "x"


ATTEMPTS: list[str] = []


@press.activity
async def archive(name: str, document: Document) -> int:
    return len(document.text)


@press.activity
async def fetch(megabytes: int) -> Document:
    ATTEMPTS.append("fetch")
    return Document(name="big", text="x" * (megabytes * MEGABYTE))


@press.activity
async def fetch_signed() -> Document:
    ATTEMPTS.append("fetch_signed")
    return Signed(name="a", text="b")


@press.activity
async def mistyped() -> Document:
    ATTEMPTS.append("mistyped")
    return {"nme": "a"}  # type: ignore[return-value]


@press.activity
async def optional(document: Document, copies: int = 1) -> str:
    return f"{copies} of {document.name}"


@workflow.defn
class Press:
    """Sends something that is not to be sent, in one of many ways."""

    def __init__(self) -> None:
        self.released = False

    @workflow.run
    async def run(self, how: str) -> Any:
        big = Document(name="big", text="x" * (3 * MEGABYTE))
        match how:
            case "activity":
                await workflow.execute_activity(archive, args=["a", big])
            case "together":
                half = "x" * (3 * MEGABYTE // 2)
                await workflow.execute_activity("archive", args=[half, Document(name="b", text=half)])
            case "child":
                await workflow.execute_child_workflow(Printed.run, big)
            case "continue":
                workflow.continue_as_new("x" * (3 * MEGABYTE))
            case "continue altered":
                workflow.continue_as_new(5)
            case "result":
                return big
            case "activity result":
                await workflow.execute_activity(fetch, 3)
            case "signed result":
                await workflow.execute_activity(fetch_signed)
            case "mistyped result":
                await workflow.execute_activity(mistyped)
            case "local":
                return await workflow.execute_local_activity(archive, args=["a", big])
            case "signal":
                await workflow.get_external_workflow_handle("nobody").signal("print", big)
            case "subclass":
                await workflow.execute_activity(archive, args=["a", Signed(name="a", text="b")])
            case "dict":
                return await workflow.execute_activity("archive", args=["a", {"name": "a", "text": "four"}])
            case "wrong dict":
                await workflow.execute_activity("archive", args=["a", {"name": "a"}])
            case "default left out":
                await workflow.execute_activity(optional, Document(name="a", text="b"))
            case "default left out, of a dict":
                return await workflow.execute_activity("optional", {"name": "a", "text": "b"})
            case _:
                await workflow.wait_condition(lambda: self.released)
        return None

    @workflow.signal
    def release(self) -> None:
        self.released = True

    @workflow.signal(name="print")
    def print_it(self, document: Document) -> None:
        self.released = True

    @workflow.update
    def copy(self, megabytes: int) -> Document:
        return Document(name="big", text="x" * (megabytes * MEGABYTE))

    @workflow.update
    def sign(self) -> Document:
        return Signed(name="a", text="b")

    @workflow.query
    def show(self, megabytes: int) -> Document:
        return Document(name="big", text="x" * (megabytes * MEGABYTE))


@workflow.defn
class Printed:
    @workflow.run
    async def run(self, document: Document) -> Document:
        return document


ACTIVITIES: list[Callable[..., Any]] = [archive, fetch, fetch_signed, mistyped, optional]


def too_large(rest: int, together: int | None = None) -> str:
    said = f" of {together:,} together" if together is not None else ""
    return TOO_LARGE.format(rest=rest, together=said)


async def ended(client: Client, how: str) -> tuple[Any, WorkflowHandle[Any, Any]]:
    """Run `Press` to its end, and return its result or what it failed with."""
    queue = f"converter-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Press, Printed], activities=ACTIVITIES):
        handle = await client.start_workflow(Press.run, how, id=str(uuid.uuid4()), task_queue=queue)
        try:
            return await asyncio.wait_for(handle.result(), 20), handle
        except WorkflowFailureError as error:
            return error.cause, handle


ENDS: list[tuple[str, Any]] = [
    (
        "activity",
        "PayloadError: Activity 'archive' is not started: argument 2 'document': " + too_large(781, 3_145_810),
    ),
    (
        "together",
        "PayloadError: Activity 'archive' is not started: argument 2 'document': the value is 1,572,914 bytes of "
        "3,145,808 together, and one call carries at most 2,097,152: store it as an object and send a reference to it",
    ),
    ("child", "PayloadError: Workflow 'Printed' is not started: argument 1: " + too_large(781)),
    ("continue", "PayloadError: The continued run is not started: argument 1: " + too_large(759)),
    (
        "continue altered",
        "PayloadError: The continued run is not started: argument 1: str is not valid: (value): Input should be a "
        "valid string",
    ),
    ("result", "PayloadError: The result of workflow 'Press': " + too_large(781)),
    ("activity result", "PayloadError: The result of activity 'fetch': " + too_large(781)),
    (
        "signed result",
        "PayloadError: The result of activity 'fetch_signed': the value is a Signed, but the receiver expects Document "
        "and would drop what Signed adds: declare Signed, or a discriminated union of the classes",
    ),
    (
        "mistyped result",
        "PayloadError: The result of activity 'mistyped': Document is not valid: name: Field required; text: Field "
        "required",
    ),
    ("local", 3 * MEGABYTE),
    ("signal", "PayloadError: Signal 'print' is not sent: argument 1: " + too_large(781)),
    (
        "subclass",
        "PayloadError: Activity 'archive' is not started: argument 2 'document': the value is a Signed, but the "
        "receiver expects Document and would drop what Signed adds: declare Signed, or a discriminated union of the "
        "classes",
    ),
    ("dict", 4),
    (
        "wrong dict",
        "PayloadError: Activity 'archive' is not started: argument 2 'document': Document is not valid: text: Field "
        "required",
    ),
    (
        "default left out",
        "PayloadError: Activity 'optional' is not started: argument 1 'document': would arrive as plain JSON, because "
        "Temporal goes by type hints only when all 2 parameters are given, and these are 1: give all",
    ),
]


@pytest.mark.parametrize(("how", "expected"), ENDS, ids=[how for how, _ in ENDS])
async def test_what_is_not_to_be_sent_stops_where_it_is_sent(client: Client, how: str, expected: Any) -> None:
    """What is too large, altered or refused by its receiver fails the run at once, naming the call and the argument."""
    ATTEMPTS.clear()
    outcome, handle = await ended(client, how)
    if isinstance(outcome, BaseException):
        innermost = outcome
        while innermost.__cause__ is not None:
            innermost = innermost.__cause__
        outcome = str(innermost)
    assert outcome == expected
    # An activity whose result cannot be sent is not tried again.
    assert len(ATTEMPTS) <= 1
    failed = [e async for e in handle.fetch_history_events() if e.HasField("workflow_task_failed_event_attributes")]
    assert failed == []


async def test_a_default_left_out_is_no_matter_for_plain_values(client: Client) -> None:
    """Arguments that JSON has itself arrive as they are with parameters left out, as in plain Temporal."""
    outcome, _ = await ended(client, "default left out, of a dict")
    # The activity gets a dict where it says Document, and fails.
    assert str(outcome.__cause__) == "AttributeError: 'dict' object has no attribute 'name'"


async def test_results_of_handlers(client: Client) -> None:
    """Results of updates and queries are held to the same, and only the update or the query fails."""
    async with Worker(client, task_queue="handlers", workflows=[Press], activities=ACTIVITIES):
        handle = await client.start_workflow(Press.run, "wait", id=str(uuid.uuid4()), task_queue="handlers")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(Press.copy, 3)
        assert str(refused.value.cause) == "PayloadError: The result of update 'copy': " + too_large(781)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(Press.sign)
        assert str(refused.value.cause) == (
            "PayloadError: The result of update 'sign': the value is a Signed, but the receiver expects Document and "
            "would drop what Signed adds: declare Signed, or a discriminated union of the classes"
        )
        with pytest.raises(WorkflowQueryFailedError) as unanswered:
            await handle.query(Press.show, 3)
        assert unanswered.value.message == too_large(781)
        assert (await handle.execute_update(Press.copy, 1)).name == "big"
        assert (await handle.query(Press.show, 1)).name == "big"
        await handle.signal(Press.release)
        assert await handle.result() is None


async def test_what_a_client_sends(client: Client) -> None:
    """A client refuses what is too large or altered before anything is sent, naming the call and the argument."""
    big = Document(name="big", text="x" * (3 * MEGABYTE))
    started = uuid.uuid4()

    async def refused(call: Any) -> str:
        with pytest.raises(PayloadError) as raised:
            await call
        return raised.value.message

    start = client.start_workflow(Printed.run, big, id=f"big-{started}", task_queue="nobody")
    assert await refused(start) == "Workflow 'Printed' is not started: argument 1: " + too_large(781)
    start = client.start_workflow(Printed.run, Signed(name="a", text="b"), id=f"signed-{started}", task_queue="nobody")
    assert await refused(start) == (
        "Workflow 'Printed' is not started: argument 1: the value is a Signed, but the receiver expects Document and "
        "would drop what Signed adds: declare Signed, or a discriminated union of the classes"
    )
    handle = await client.start_workflow(Press.run, "wait", id=f"press-{started}", task_queue="nobody")
    assert await refused(handle.signal("print", big)) == "Signal 'print' is not sent: argument 1: " + too_large(781)
    update = handle.execute_update("copy", big)
    assert await refused(update) == "Update 'copy' is not sent: argument 1: " + too_large(781)
    assert await refused(handle.query("show", big)) == "Query 'show' is not sent: argument 1: " + too_large(781)
    signals = [
        e async for e in handle.fetch_history_events() if e.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert signals == []
    await handle.terminate()
    for name in ("big", "signed"):
        with pytest.raises(RPCError, match="not found"):
            await client.get_workflow_handle(f"{name}-{started}").describe()


@pytest.mark.parametrize(
    ("payloads", "message"),
    [
        (["not a document"], "Expected Document: the value: Input should be an object"),
        ([{"name": "a"}], "Expected Document: text: Field required"),
        (
            [{"name": 1, "text": None}],
            "Expected Document: name: Input should be a valid string; text: Input should be a valid string",
        ),
    ],
)
async def test_a_run_with_input_that_it_cannot_read_fails(
    plain: Client, client: Client, payloads: list[Any], message: str
) -> None:
    """A run that somebody started with input of another type fails at once, where it would retry its task for ever."""
    async with Worker(client, task_queue="bad-input", workflows=[Printed]):
        handle = await plain.start_workflow("Printed", args=payloads, id=str(uuid.uuid4()), task_queue="bad-input")
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), 10)
    assert str(failed.value.cause) == f"PayloadValidationError: {message}"


async def test_the_limit_is_the_servers(client: Client) -> None:
    """The largest value that is let pass is taken by a real server."""
    converter = SeguePayloadConverter()
    size = PAYLOAD_SIZE_LIMIT - 100
    while _fits(converter, size + 1):
        size += 1
    async with Worker(client, task_queue="limit", workflows=[Length]):
        result = await client.execute_workflow(Length.run, "x" * size, id=str(uuid.uuid4()), task_queue="limit")
    assert result == size


def _fits(converter: SeguePayloadConverter, size: int) -> bool:
    try:
        converter.to_payloads(["x" * size])
    except PayloadError:
        return False
    return True


@workflow.defn
class Length:
    @workflow.run
    async def run(self, text: str) -> int:
        return len(text)


class Sealed(PayloadCodec):
    """Compresses, if asked to, and encrypts with AES-GCM."""

    def __init__(self, *, compress: bool) -> None:
        self.compress = compress
        self.key = AESGCM(b"k" * 32)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        data = payload.SerializeToString()
        nonce = os.urandom(12)
        data = self.key.encrypt(nonce, zlib.compress(data) if self.compress else data, None)
        return Payload(metadata={"encoding": b"binary/sealed"}, data=nonce + data)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != b"binary/sealed":
            return payload
        data = self.key.decrypt(payload.data[:12], payload.data[12:], None)
        return Payload.FromString(zlib.decompress(data) if self.compress else data)


class Shelf(StorageDriver):
    """Keeps payloads in this process."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def name(self) -> str:
        return "shelf"

    async def store(self, context: Any, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        claims: list[StorageDriverClaim] = []
        for payload in payloads:
            key = str(uuid.uuid4())
            self.kept[key] = payload.SerializeToString()
            claims.append(StorageDriverClaim({"key": key}))
        return claims

    async def retrieve(self, context: Any, claims: Sequence[StorageDriverClaim]) -> list[Payload]:
        return [Payload.FromString(self.kept[claim.claim_data["key"]]) for claim in claims]


async def connected(server: WorkflowEnvironment, converter: DataConverter) -> Client:
    return await Client.connect(
        server.client.service_client.config.target_host,
        data_converter=converter,
        plugins=[SeguePlugin(settings=Settings())],
    )


async def test_a_codec_survives_and_sizes_are_weighed_after_it(server: WorkflowEnvironment) -> None:
    """A codec of the user's seals all that is sent, and what it compresses below the limit may be larger before."""
    client = await connected(server, DataConverter(payload_codec=Sealed(compress=True)))
    outcome, handle = await ended(client, "activity")
    assert outcome is None
    events = (await handle.fetch_history()).events
    inputs = [payload for event in events for payload in event.activity_task_scheduled_event_attributes.input.payloads]
    assert {payload.metadata["encoding"] for payload in inputs} == {b"binary/sealed"}
    sizes = [len(payload.data) for payload in inputs]
    assert len(sizes) == 2
    assert sizes[1] < 10_000


async def test_a_codec_that_does_not_compress_does_not_help(server: WorkflowEnvironment) -> None:
    """What a codec leaves over the limit is refused where it is sent, though the SDK runs codecs later."""
    client = await connected(server, DataConverter(payload_codec=Sealed(compress=False)))
    outcome, _ = await ended(client, "activity")
    assert str(outcome) == (
        "PayloadError: Activity 'archive' is not started: argument 2 'document': " + too_large(781, 3_145_810)
    )
    outcome, _ = await ended(client, "activity result")
    assert str(outcome.__cause__) == "PayloadError: The result of activity 'fetch': " + too_large(781)


async def test_external_storage_survives(server: WorkflowEnvironment) -> None:
    """What goes to a storage of the user's is not too large, and what is left in the call is still weighed."""
    shelf = Shelf()
    client = await connected(server, DataConverter(external_storage=ExternalStorage(drivers=[shelf])))
    outcome, _ = await ended(client, "activity")
    assert (outcome, len(shelf.kept)) == (None, 1)
    outcome, _ = await ended(client, "activity result")
    assert (outcome, len(shelf.kept)) == (None, 2)
    high = ExternalStorage(drivers=[Shelf()], payload_size_threshold=8 * MEGABYTE)
    client = await connected(server, DataConverter(external_storage=high))
    outcome, _ = await ended(client, "activity")
    assert str(outcome).endswith(too_large(781, 3_145_810))


class Coordinates:
    """Of a class that neither pydantic nor JSON knows."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y


class CoordinatesConverter(EncodingPayloadConverter):
    @property
    def encoding(self) -> str:
        return "text/coordinates"

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, Coordinates):
            return None
        return Payload(metadata={"encoding": self.encoding.encode()}, data=f"{value.x} {value.y}".encode())

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        return Coordinates(*map(float, payload.data.split()))


class OwnConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(CoordinatesConverter(), *DefaultPayloadConverter.default_encoding_payload_converters)


@press.activity
async def halve(point: Coordinates) -> Coordinates:
    return Coordinates(point.x / 2, point.y / 2)


@workflow.defn
class Halve:
    @workflow.run
    async def run(self, point: Coordinates) -> Coordinates:
        # Not a number in JSON's eyes; this converter carries it.
        return await workflow.execute_activity(halve, point)


async def test_a_converter_of_the_users_own_survives(server: WorkflowEnvironment) -> None:
    """A converter that the user chose carries what it can, and Segue checks nothing of what it carries."""
    client = await connected(server, DataConverter(payload_converter_class=OwnConverter))
    async with Worker(client, task_queue="own-converter", workflows=[Halve], activities=[halve]):
        result = await client.execute_workflow(
            Halve.run, Coordinates(1.0, float("inf")), id=str(uuid.uuid4()), task_queue="own-converter"
        )
    assert (result.x, result.y) == (0.5, float("inf"))


def in_another_process(document: Document) -> str:
    """Return what the converter of this process makes of a value."""
    payload = activity.payload_converter().to_payload(document)
    return f"{os.getpid()} {payload.data.decode()}"


in_another_process = press.activity(in_another_process)


@workflow.defn
class Elsewhere:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(in_another_process, Document(name="a", text="b"))


@pytest.mark.slow
@pytest.mark.parametrize("codec", [None, Sealed(compress=True)], ids=["plain", "codec"])
async def test_activities_in_a_process_pool(server: WorkflowEnvironment, codec: PayloadCodec | None) -> None:
    """Sync activities may run in a process pool, which is sent the converter's class."""
    client = await connected(server, DataConverter(payload_codec=codec))
    spawned = multiprocessing.get_context("spawn")
    with spawned.Manager() as manager, ProcessPoolExecutor(1, mp_context=spawned) as executor:
        async with Worker(
            client,
            task_queue="process-pool",
            workflows=[Elsewhere],
            activities=[in_another_process],
            activity_executor=executor,
            shared_state_manager=SharedStateManager.create_from_multiprocessing(manager),
        ):
            result = await client.execute_workflow(Elsewhere.run, id=str(uuid.uuid4()), task_queue="process-pool")
    process, _, text = result.partition(" ")
    assert text == '{"name":"a","text":"b"}'
    assert int(process) != os.getpid()
