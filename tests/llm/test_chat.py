"""Questions and answers from the code of an activity: what is sent, what comes back, and what each fault is called."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from tests.activities.http_server import stall
from tests.llm.scripted import (
    Scripted,
    Turn,
    calls,
    dies,
    filtered,
    refuses,
    says,
    stalls,
    status,
    truncated,
)

from segue.activities import PayloadError, llm, objects
from segue.activities.llm import Chat, Message, Model, Tool, ToolCall, Usage
from segue.client.converter import SeguePayloadConverter

pytest.importorskip("obstore")

SECRET = "The landlord of canary street keeps the deposit of 4,200 pounds"


class Verdict(BaseModel):
    met: bool
    reason: str


def question(model: Model, text: str = "Is it met?", **fields: Any) -> Chat:
    return Chat.model_validate({"model": model, "messages": (Message.user(text),), "keep": "inline"} | fields)


@pytest.mark.parametrize("streams", [True, False])
async def test_what_is_asked_and_answered(provider: Scripted, streams: bool) -> None:
    """All that a question says is sent as the protocol has it; the answer comes with its tokens and its cost."""
    provider.script("Yes, it is.")
    chat = Chat(
        model=provider.guarded(streams=streams, options={"user": "tests"}),
        messages=(Message.system("Be brief."), Message.user("Is it met?")),
        maximum_tokens=20,
        temperature=0.5,
        seed=7,
        stop=("\n\n",),
        keep="inline",
    )

    answer = await llm.chat(chat)

    [asked] = provider.asked
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
    assert asked.body == {
        "model": "scripted-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it met?"}],
        "max_tokens": 20,
        "temperature": 0.5,
        "seed": 7,
        "stop": ["\n\n"],
        "user": "tests",
        **streamed,
    }
    assert asked.headers["authorization"] == "Bearer sk-canary-of-the-key-4711"
    assert (answer.text, answer.finish_reason, answer.engine) == ("Yes, it is.", "stop", "scripted-1")
    assert answer.usage == Usage(input_tokens=5, output_tokens=3, cost_usd=1.1e-05, calls=1)
    assert answer.completion.text == "Yes, it is."
    assert repr(answer) == f"Answer(engine='scripted-1', digest='{answer.completion.digest}')"


@pytest.mark.parametrize(
    ("given", "reached"),
    [("", "/v1/chat/completions"), ("/", "/v1/chat/completions"), ("/v1", "/v1/chat/completions"),
     ("/v1/", "/v1/chat/completions"), ("/v1/chat/completions", "/v1/chat/completions"),
     ("/api/v3", "/api/v3/chat/completions"), ("/openai/deployments/a", "/openai/deployments/a/chat/completions")],
)  # fmt: skip
async def test_any_base_url(provider: Scripted, given: str, reached: str) -> None:
    """A server's address may be given with or without `/v1`, with an endpoint's path, or with a path of its own."""
    root = provider.url.removesuffix("/v1")
    provider.server.on(reached, provider.chat)
    await llm.chat(question(Model(name="m", base_url=root + given)))
    assert provider.server.requests[0].path == reached


@pytest.mark.parametrize(
    ("url", "problem"),
    [("ftp://a.test", "must begin with http:// or https:// and name a host"),
     ("http://user:word@a.test", "must hold no user name, password, query or fragment: give key=, by SecretRef"),
     ("http://a.test/v1?key=s3cret", "must hold no user name, password, query or fragment: give key=, by SecretRef")],
)  # fmt: skip
def test_a_base_url_that_is_none(url: str, problem: str) -> None:
    """A URL with a credential in it is refused, and not repeated."""
    with pytest.raises(ValidationError) as refused:
        Model(name="m", base_url=url)
    assert problem in str(refused.value)
    assert "word" not in str(refused.value).replace("password", "")
    assert "s3cret" not in str(refused.value)


def test_a_literal_key_is_refused() -> None:
    """A header that is a credential must come by reference."""
    with pytest.raises(ValidationError, match="header 'api-key' is a credential: give a SecretRef") as refused:
        Model(name="m", base_url="http://a.test", headers={"api-key": "s3cret"})
    assert "s3cret" not in str(refused.value)


def test_a_reference_needs_a_store() -> None:
    """Where a text is to be kept must be said, in one of three ways."""
    with pytest.raises(ValidationError) as refused:
        Chat(model=Model(name="m", base_url="http://a.test"), messages=(Message.user("?"),))
    assert (
        "keep='reference' needs store=, the object URL prefix where texts are kept: give one, or choose keep='inline', "
        "which puts the answer into the history, or keep='digest', which keeps it nowhere"
    ) in str(refused.value)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What a server does, and what that is called."""

    turn: Turn
    error: str
    says: str
    spent: Usage | None = None


PAID = Usage(input_tokens=3, output_tokens=2, cost_usd=7e-06, calls=1)
FAULTS = {
    "refusal": Fault(refuses("I cannot."), "Refused", "Model 'scripted-1' refuses to answer",
                     Usage(input_tokens=3, output_tokens=0, cost_usd=3e-06, calls=1)),
    "filter": Fault(filtered("Half an"), "Filtered", "Model 'scripted-1': its server withheld the answer", PAID),
    "truncated": Fault(truncated("Half an"), "Truncated",
                       "Model 'scripted-1': the answer ends at the server's bound, after 2: raise maximum_tokens, or "
                       "ask for less", PAID),
    "wrong model": Fault(says("Hi there", model="other-2"), "WrongModel",
                         "Model 'scripted-1' was asked, and 'other-2' answered: correct the name, or allow it with "
                         "answers_as", PAID),
    "key": Fault(status(401, error="invalid_api_key", message="Incorrect API key provided: sk-can****4711"),
                 "RequestRejected", "POST URL answered 401 Reason (invalid_api_key, error) for model 'scripted-1': the "
                 "key is not accepted. The worker takes it from 'env:SCRIPTED_KEY'"),
    "model": Fault(status(404, error="model_not_found", message="no"), "ModelNotFound",
                   "POST URL answered 404 Reason (model_not_found, error) for model 'scripted-1': the server has no "
                   "such model"),
    "address": Fault(status(404, body="Not Found"), "ModelNotFound",
                     "POST URL answered 404 Reason for model 'scripted-1': there is no such model, or no such address: "
                     "check the model's name and base_url"),
    "context": Fault(status(400, error="context_length_exceeded", message="This model's maximum is 8192 tokens"),
                     "ContextTooLong", "POST URL answered 400 Reason (context_length_exceeded, error) for model "
                     "'scripted-1': the prompt is longer than the model takes: This model's maximum is 8192 tokens"),
    "quota": Fault(status(429, error="insufficient_quota", message="You exceeded"), "QuotaExceeded",
                   "POST URL answered 429 Reason (insufficient_quota, error) for model 'scripted-1': the account's "
                   "quota is used up"),
    "prompt filter": Fault(status(400, error="content_filter", message="no"), "Filtered",
                           "POST URL answered 400 Reason (content_filter, error) for model 'scripted-1': the prompt was"
                           " not passed on to the model"),
    "parameter": Fault(status(400, error="unsupported_parameter", message="Use 'max_completion_tokens' instead"),
                       "RequestRejected", "POST URL answered 400 Reason (unsupported_parameter, error) for model "
                       "'scripted-1': Use 'max_completion_tokens' instead"),
    "echo": Fault(status(400, error="bad", message=f"Cannot parse: Is it met? {SECRET}"), "RequestRejected",
                  "POST URL answered 400 Reason (bad, error) for model 'scripted-1'"),
    "busy": Fault(status(429, retry_after="7"), "ModelUnavailable",
                  "POST URL answered 429 Reason (error) for model 'scripted-1'"),
    "broken": Fault(status(500, body="<html>oops</html>"), "ModelUnavailable",
                    "POST URL answered 500 Reason for model 'scripted-1'"),
    "reset": Fault(dies(), "ModelUnavailable",
                   "POST URL: the connection was lost while the answer was awaited (model 'scripted-1')"),
    "stall": Fault(stalls(), "ModelUnavailable", "POST URL: the answer stopped coming (model 'scripted-1')"),
    "reset midway": Fault(dies("Half an"), "ModelUnavailable",
                          "POST URL: the connection was lost while the answer was awaited (model 'scripted-1')"),
    "stall midway": Fault(stalls("Half an"), "ModelUnavailable",
                          "POST URL: the answer stopped coming (model 'scripted-1')"),
}  # fmt: skip


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_has_a_name(provider: Scripted, name: str, streams: bool) -> None:
    """Each fault is an error of its own class; it tells what it cost, and repeats neither prompt, answer nor key."""
    fault = FAULTS[name]
    provider.script(fault.turn)
    model = provider.guarded(streams=streams, idle_timeout=timedelta(seconds=0.3))

    with pytest.raises((llm.ModelError, llm.ModelUnavailable)) as failed:
        await llm.chat(question(model, f"Is it met? {SECRET}" if name == "echo" else "Is it met?"))

    error = failed.value
    assert type(error).__name__ == fault.error
    assert error.message.replace(provider.url + "/chat/completions", "URL") == fault.says
    assert error.__cause__ is None
    assert "canary" not in f"{error!r} {error.details}"
    if isinstance(error, llm.ModelError):
        assert error.non_retryable
        assert error.spent == fault.spent
    else:
        assert not error.non_retryable
        assert error.next_retry_delay == (timedelta(seconds=7) if name == "busy" else None)


async def test_a_date_to_come_back_at(provider: Scripted) -> None:
    """`Retry-After` may be a date; one that has passed means at once."""
    provider.script(status(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))
    with pytest.raises(llm.ModelUnavailable) as failed:
        await llm.chat(question(provider.model()))
    assert failed.value.after == timedelta(0)


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [("gpt-4o", "gpt-4o-2024-08-06", True), ("openai/gpt-4o", "gpt-4o", True), ("gpt-4o", "gpt-4o-mini", False),
     ("gpt-4", "gpt-4o", False), ("mistral-large-latest", "mistral-large-2411", True), ("m", "", True),
     ("SmolLM2", "/models/smollm2.gguf", True), ("llama3.2:1b", "llama3.2:1b", True)],
)  # fmt: skip
async def test_a_model_by_another_name(provider: Scripted, asked: str, answered: str, same: bool) -> None:
    """A dated name, or one with its path, is the same model; any other is not, unless it was allowed."""
    provider.script(says("Hello", model=answered))
    if same:
        await llm.chat(question(provider.model(asked)))
        return
    with pytest.raises(llm.WrongModel):
        await llm.chat(question(provider.model(asked)))
    assert (await llm.chat(question(provider.model(asked, answers_as=(answered,))))).text == "Hello"
    assert (await llm.chat(question(provider.model(asked, answers_as=("*",))))).text == "Hello"


async def test_tokens_that_are_not_told(provider: Scripted) -> None:
    """Where a server does not count, tokens are estimated, and say so; or that is an error."""
    provider.script(says("Twelve chars", usage=False))
    usage = (await llm.chat(question(provider.model()))).usage
    assert (usage.estimated, usage.output_tokens, usage.calls) == (True, 4, 1)
    with pytest.raises(llm.UsageMissing) as failed:
        await llm.chat(question(provider.model(requires_usage=True)))
    assert failed.value.spent is not None


async def test_tools(provider: Scripted) -> None:
    """Tools are offered with their schemas; a wish to call them comes back, and goes on with what they answered."""
    lookup = Tool(name="lookup", description="Finds a clause.", parameters=llm.schema_of(Verdict))
    provider.script(calls(("lookup", {"met": True, "reason": "x"}), ("lookup", "{broken")), "Done.")
    asked = question(provider.model(), tools=(lookup,), tool_choice="lookup")

    wish = await llm.chat(asked)

    first, second = wish.tool_calls
    assert first == ToolCall(id="call-0", name="lookup", arguments='{"met": true, "reason": "x"}')
    assert (first.parsed, wish.finish_reason, wish.text) == ({"met": True, "reason": "x"}, "tool_calls", "")
    with pytest.raises(ValueError, match=r"^(?!the arguments)"):
        _ = second.parsed
    assert provider.asked[0].body["tools"][0]["function"]["parameters"] == llm.schema_of(Verdict)
    assert provider.asked[0].body["tool_choice"] == {"type": "function", "function": {"name": "lookup"}}

    going_on = (*asked.messages, Message.assistant("", tool_calls=wish.tool_calls), Message.tool(first, "clause 4"))
    assert (await llm.chat(asked.model_copy(update={"messages": going_on}))).text == "Done."
    assert provider.asked[1].messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call-0", "type": "function",
             "function": {"name": "lookup", "arguments": '{"met": true, "reason": "x"}'}},
            {"id": "call-1", "type": "function", "function": {"name": "lookup", "arguments": "{broken"}},
        ]},
        {"role": "tool", "content": "clause 4", "tool_call_id": "call-0"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ['{"met": true, "reason": "clause 4"}', 'Sure!\n```json\n{"met": true, "reason": "clause 4"}\n```\nAnything else?',
     'It is this: {"met": true, "reason": "clause 4"} I think.'],
)  # fmt: skip
@pytest.mark.parametrize("takes", [{"json_schema"}, {"json_object"}, {"text"}])
async def test_json_of_a_schema(provider: Scripted, text: str, takes: set[str]) -> None:
    """A server is asked for JSON in the best way that it takes, which is remembered; what is around it is left out."""
    provider.takes = {"text", *takes}
    provider.script(text)
    asked = question(provider.model(), output_schema=llm.schema_of(Verdict))

    answers = [await llm.chat(asked) for _ in range(2)]

    assert [answer.parsed(Verdict) for answer in answers] == [Verdict(met=True, reason="clause 4")] * 2
    kinds = [one.body.get("response_format", {}).get("type", "text") for one in provider.asked]
    ways = ["json_schema", "json_object", "text"]
    tried = ways[: ways.index(takes.copy().pop()) + 1]
    assert kinds == [*tried, tried[-1]]
    assert provider.paid == 2
    assert ("JSON schema" in provider.asked[-1].system) == (takes != {"json_schema"})


async def test_a_way_that_the_server_does_not_take(provider: Scripted) -> None:
    """Where only one way is allowed and the server does not take it, that is said, and nothing was paid."""
    provider.takes = {"text"}
    with pytest.raises(llm.SchemaUnsupported, match="response_format json_schema is not supported here"):
        await llm.chat(question(provider.model(structured="json_schema"), output_schema=llm.schema_of(Verdict)))
    assert (len(provider.asked), provider.paid) == (1, 0)


@pytest.mark.parametrize(
    ("text", "problems"),
    [('{"met": true, "reason": "cla', ("(value): is not JSON",)),
     ("I cannot say.", ("(value): is not JSON",)),
     ('{"met": "perhaps"}', ("reason: is missing", "met: must be a boolean, and is a string"))],
)  # fmt: skip
async def test_an_answer_that_does_not_conform(provider: Scripted, text: str, problems: tuple[str, ...]) -> None:
    """What is wrong is told by its place, and the answer itself is not repeated."""
    provider.script(text)
    with pytest.raises(llm.InvalidOutput) as failed:
        await llm.chat(question(provider.model(), output_schema=llm.schema_of(Verdict)))
    assert failed.value.problems == problems
    assert failed.value.message == (
        f"Model 'scripted-1' answered with what does not conform to the schema: {'; '.join(problems)}"
    )
    assert failed.value.spent is not None


async def test_texts_by_reference(provider: Scripted, tmp_path: Path) -> None:
    """The worker puts the texts of objects in their places; prompt and answer are kept by their digests."""
    lease = await objects.write(str(tmp_path / "lease.txt"), "The rent is due monthly.")
    provider.script("Monthly.")
    asked = question(provider.model(), keep="reference", store=str(tmp_path / "kept"))
    asked = asked.model_copy(update={"messages": (Message.user("When is rent due?\n\n", lease),)})

    answer = await llm.chat(asked)

    assert provider.asked[0].user == "When is rent due?\n\nThe rent is due monthly."
    completion = answer.completion
    assert (completion.text, await llm.text_of(completion)) == (None, "Monthly.")
    assert completion.prompt_ref is not None
    assert completion.prompt_ref.sha256 == completion.prompt_digest
    assert b"The rent is due monthly." in await objects.read(completion.prompt_ref)
    nowhere = (await llm.chat(asked.model_copy(update={"keep": "digest"}))).completion
    assert (nowhere.text, nowhere.text_ref, nowhere.prompt_ref) == (None, None, None)
    assert nowhere.digest == completion.digest
    with pytest.raises(ValueError, match="kept nowhere"):
        await llm.text_of(nowhere)


async def test_a_prompt_that_cannot_fit(provider: Scripted) -> None:
    """A prompt that is too long by any count is refused before it is sent."""
    with pytest.raises(llm.ContextTooLong) as failed:
        await llm.chat(question(provider.model(context_tokens=100), "word " * 300, maximum_tokens=20))
    assert failed.value.message == (
        "Model 'scripted-1' takes 100 tokens (context_tokens), and the prompt has at least some 187, with 20 more for "
        "the answer"
    )
    assert provider.asked == []


async def test_another_model_in_its_place(provider: Scripted) -> None:
    """After an error that leads on, the next model is asked; what the first one took is counted too."""
    provider.script(truncated("Half an"), "Whole.")
    asked = question(
        provider.model("small"), fallbacks=(provider.model("large"),), fall_back_on=("Truncated", "ModelUnavailable")
    )
    answer = await llm.chat(asked)
    assert (answer.text, answer.engine) == ("Whole.", "large")
    assert answer.completion.instead_of == ("small: Truncated",)
    assert answer.usage == Usage(input_tokens=6, output_tokens=3, cost_usd=1.2e-05, calls=2)


async def test_an_error_that_leads_nowhere(provider: Scripted) -> None:
    """A refusal is an answer: no other model is asked, unless the caller says so."""
    provider.script(refuses(), "Whole.")
    asked = question(provider.model("small"), fallbacks=(provider.model("large"),))
    with pytest.raises(llm.Refused):
        await llm.chat(asked)
    assert len(provider.asked) == 1


async def test_all_models_fail(provider: Scripted) -> None:
    """What may pass decides: the step is tried again, and the other errors are told with it."""
    provider.script(status(503, retry_after="3"), status(404, error="model_not_found"))
    asked = question(provider.model("small"), fallbacks=(provider.model("large"),))
    with pytest.raises(llm.ModelUnavailable) as failed:
        await llm.chat(asked)
    assert failed.value.after == timedelta(seconds=3)
    [note] = failed.value.__notes__
    assert note.startswith("large: ModelNotFound: ")


async def test_what_all_models_took(provider: Scripted) -> None:
    """An error tells what all the answers took that led to it."""
    provider.script(truncated("Half an"))
    asked = question(provider.model("small"), fallbacks=(provider.model("large"),), fall_back_on=("ModelError",))
    with pytest.raises(llm.Truncated) as failed:
        await llm.chat(asked)
    spent = Usage(input_tokens=6, output_tokens=4, cost_usd=1.4e-05, calls=2)
    assert failed.value.spent == spent
    assert list(failed.value.details) == [{"engine": "large", "spent": spent.model_dump(mode="json")}]


def test_a_rule_with_an_unknown_error() -> None:
    """A name that no error has is refused."""
    with pytest.raises(ValidationError, match="names 'Refusd', which is none of ContextTooLong, Filtered"):
        question(Model(name="m", base_url="http://a.test"), fall_back_on=("Refusd",))


async def test_a_row_of_events(provider: Scripted) -> None:
    """Comments, foreign line ends, and events in several pieces are read as the standard says."""
    lines = (
        b': keep-alive\r\n\r\ndata: {"choices": [{"delta": {"content": "Hel"}}]}\r\n\r\n'
        b'data: {"choices": [{"delta": {"content": [{"type": "text", "text": "lo"}]},\r\n'
        b'data:  "finish_reason": "stop"}], "usage": {"input_tokens": 3, "output_tokens": 1}}\r\n\r\n'
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    provider.raw(head + lines)
    answer = await llm.chat(question(provider.model()))
    assert (answer.text, answer.usage.tokens) == ("Hello", 4)


async def test_an_error_within_a_stream(provider: Scripted) -> None:
    """A server that has begun may still say that it cannot go on."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    provider.raw(head + b'data: {"error": {"message": "overloaded", "code": "overloaded"}}\n\n')
    with pytest.raises(llm.ModelUnavailable, match=r"answered 200 OK \(overloaded\)"):
        await llm.chat(question(provider.model()))


async def test_a_stream_that_ends_too_early(provider: Scripted) -> None:
    """An answer that the server does not call whole is none, though the connection ended in good order."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    provider.raw(head + b'data: {"choices": [{"delta": {"content": "Half"}}]}\n\n')
    with pytest.raises(llm.ModelUnavailable, match="the answer broke off after 4 characters"):
        await llm.chat(question(provider.model()))


async def test_a_stream_that_is_whole_and_does_not_end(provider: Scripted) -> None:
    """Once the server has said why the answer ended it is whole, though nothing more comes; it was paid for."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    event = b'data: {"choices": [{"delta": {"content": "Whole."}, "finish_reason": "stop"}]}\n\n'
    provider.server.on("/v1/chat/completions", stall(head + event))
    answer = await llm.chat(question(provider.model(idle_timeout=timedelta(seconds=0.2))))
    assert (answer.text, answer.usage.estimated) == ("Whole.", True)


async def test_an_answer_with_its_text_stays_here(provider: Scripted) -> None:
    """An `Answer`, which holds the text, cannot be returned by a step by mistake: its completion can."""
    answer = await llm.chat(question(provider.model(), keep="digest"))
    converter = SeguePayloadConverter()
    with pytest.raises(PayloadError):
        converter.to_payloads([answer])
    assert b"An answer." not in converter.to_payloads([answer.completion])[0].data
