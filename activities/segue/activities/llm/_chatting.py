"""A question asked and answered: rendered, sent, checked, kept.

    answer = await llm.chat(Chat(model=model, messages=(Message.user("..."),), store="s3://bucket/llm"))
    answer.text, answer.usage.cost_usd

For the code of activities: what it reads and asks does not pass through a history. Workflows use the step `complete`.
"""

from __future__ import annotations

from segue.activities import objects
from segue.activities.llm._calling import Sending, reply
from segue.activities.llm._errors import Filtered, InvalidOutput, Refused, Truncated
from segue.activities.llm._json import digest_of
from segue.activities.llm._requests import Answer, Chat, Completion
from segue.activities.llm._schemas import json_in
from segue.activities.llm._usage import Usage
from segue.activities.llm._wire import Prompt, Reply, Way, body, rendered
from segue.activities.objects import ObjectRef

__all__ = ["chat", "text_of"]

_CHARACTERS_A_TOKEN = 4


async def chat(chat: Chat) -> Answer:
    """Return a model's answer.

    Raises:
        Refused, Truncated, InvalidOutput, ContextTooLong, ...: As `segue.activities.llm` lists them.
        ModelUnavailable: Not now.
    """
    prompt = await rendered(chat)
    way: Way = "json_schema" if chat.output_schema is not None else "text"
    texts = " ".join(" ".join(str(message["content"]) for message in prompt.messages).split())
    sending = Sending(
        model=chat.model,
        path="/chat/completions",
        body=body(chat.model, chat, prompt, way),
        texts=texts,
        schema=chat.output_schema is not None,
        timeout=chat.timeout,
    )
    said = await reply(sending, lambda characters: None)
    return await _kept(chat, prompt, said)


async def text_of(completion: Completion) -> str:
    """Return the text of a completion: its own, or that of the object that holds it.

    Raises:
        ValueError: It was kept nowhere.
        ObjectNotFound, ObjectChanged: The object is not there any more, or is another.
    """
    if completion.text is not None:
        return completion.text
    if completion.text_ref is None:
        raise ValueError("The text of this completion was not kept (keep='digest')")
    return (await objects.read(completion.text_ref)).decode()


async def _kept(chat: Chat, prompt: Prompt, said: Reply) -> Answer:
    usage = (said.usage or _estimated(prompt, said)).priced(chat.model.price)
    engine = chat.model.engine
    text = said.text
    if said.refusal:
        raise Refused(f"Model {chat.model.name!r} refuses to answer", engine=engine, spent=usage)
    if said.finish_reason == "content_filter":
        raise Filtered(f"Model {chat.model.name!r}: its server withheld the answer", engine=engine, spent=usage)
    if said.finish_reason == "length":
        raise Truncated(
            f"Model {chat.model.name!r}: the answer ends at its bound, after {usage.output_tokens:,} tokens: raise "
            "maximum_tokens, or ask for less",
            engine=engine,
            spent=usage,
        )
    if chat.output_schema is not None and not said.tool_calls:
        found = json_in(text)
        if found is None:
            raise InvalidOutput(
                f"Model {chat.model.name!r} answered with what is not JSON",
                problems=("(value): is not JSON",),
                engine=engine,
                spent=usage,
            )
        text = found
    digest = digest_of(text)
    ref, prompt_ref = await _stored(chat, text, digest, ".txt"), None
    if chat.keep == "reference":
        prompt_ref = await _stored(chat, prompt.asked.decode(), prompt.digest, ".json")
    return Answer(
        text,
        Completion(
            text=text if chat.keep == "inline" else None,
            text_ref=ref,
            digest=digest,
            tool_calls=tuple(said.tool_calls),
            finish_reason=said.finish_reason or ("tool_calls" if said.tool_calls else "stop"),
            usage=usage,
            model=said.model or chat.model.name,
            engine=engine,
            prompt_digest=prompt.digest,
            prompt_ref=prompt_ref,
        ),
    )


async def _stored(chat: Chat, text: str, digest: str, suffix: str) -> ObjectRef | None:
    if chat.keep != "reference" or chat.store is None:
        return None
    return await objects.write(objects.join(chat.store, "texts", digest[:2], digest + suffix), text)


def _estimated(prompt: Prompt, said: Reply) -> Usage:
    """Return the tokens that texts of this length take, roughly."""
    return Usage(
        input_tokens=len(prompt.asked) // _CHARACTERS_A_TOKEN + 1,
        output_tokens=len(said.text) // _CHARACTERS_A_TOKEN + 1,
        calls=1,
        estimated=True,
    )
