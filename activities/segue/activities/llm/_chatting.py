"""A question asked and answered: rendered, sent when it is its turn, recorded, checked, kept.

    answer = await llm.chat(Chat(model=model, messages=(Message.user("..."),), store="s3://bucket/llm"))
    answer.text, answer.usage.cost_usd

For the code of activities: what it reads and asks does not pass through a history. Workflows use the step `complete`.

Within one step the same question to the same model is one call, whichever attempt asks it: what it was answered is
found again under the step's idempotency key. What is to be asked anew is told apart by `Chat.sample`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from temporalio import activity

from segue.activities import objects
from segue.activities.idempotency import idempotency_key
from segue.activities.llm._answers import CHARACTERS_A_TOKEN, checked, recorded, tokens_of
from segue.activities.llm._calling import Sending, reply
from segue.activities.llm._conformity import check_schema
from segue.activities.llm._errors import ContextTooLong, ModelError, ModelUnavailable, NotRecorded, SchemaUnsupported
from segue.activities.llm._json import canonical, digest_of
from segue.activities.llm._limits import Share
from segue.activities.llm._models import Model
from segue.activities.llm._records import Call, Recording, call_url, found, labels, persisted, text_object
from segue.activities.llm._requests import Answer, Chat, Completion
from segue.activities.llm._telemetry import Watched, watched
from segue.activities.llm._usage import Usage
from segue.activities.llm._wire import Prompt, Reply, Way, body, rendered
from segue.activities.objects import ObjectRef

__all__ = ["chat", "text_of"]

Arrived = Callable[[str, int], None]

_WAYS: Final[tuple[Way, ...]] = ("json_schema", "json_object", "prompt")
_MAXIMUM_WAYS_KEPT: Final = 1000

# How a server was found to take a schema, so that it is not asked in vain each time.
_taken: dict[tuple[str, str, str], Way] = {}


async def chat(chat: Chat, *, arrived: Arrived | None = None) -> Answer:
    """Return a model's answer, or that of the first of its fallbacks that has one.

    Args:
        chat: The question.
        arrived: Is told, as the answer comes, which engine answers, and how many characters there are.

    Raises:
        ModelUnavailable: Not now.
        ModelError: The answer is none, or nothing was to be asked so; see the classes below it.
        InvalidSchema: The output schema says what cannot be checked.
    """
    if chat.output_schema is not None:
        check_schema(chat.output_schema)
    prompt = await rendered(chat)
    failed: list[ModelError | ModelUnavailable] = []
    for model in (chat.model, *chat.fallbacks):
        try:
            return await _Asking(chat, model, prompt, arrived).answer(failed)
        except (ModelError, ModelUnavailable) as error:
            failed.append(error)
            if not any(cls.__name__ in chat.fall_back_on for cls in type(error).__mro__):
                break
    raise _telling(failed)


async def text_of(completion: Completion) -> str:
    """Return the text of a completion: its own, or that of the object that holds it.

    Raises:
        ValueError: It was kept nowhere.
        ObjectNotFound, ObjectChanged: The object is not there any more, or is another.
    """
    if completion.text is not None:
        return completion.text
    if completion.text_ref is None:
        raise ValueError("The text of this completion was kept nowhere (keep='digest')")
    return (await objects.read(completion.text_ref)).decode()


def _telling(failed: list[ModelError | ModelUnavailable]) -> ModelError | ModelUnavailable:
    """Return the error that stands for all, with what all cost: one that may pass by itself, else the last."""
    telling = next((error for error in failed if isinstance(error, ModelUnavailable)), failed[-1])
    for error in failed:
        if error is not telling:
            telling.add_note(f"{error.engine}: {type(error).__name__}: {error.message}")
    telling.spent = _spent(failed)
    return telling


def _spent(failed: list[ModelError | ModelUnavailable]) -> Usage | None:
    """Return what was paid for in vain; None if nothing was."""
    paid = [error.spent for error in failed if error.spent is not None]
    return sum(paid, Usage()) if paid else None


@dataclasses.dataclass
class _Asking:
    """One question to one model."""

    chat: Chat
    model: Model
    prompt: Prompt
    arrived: Arrived | None
    kept_prompt: ObjectRef | None = None

    async def answer(self, failed: list[ModelError | ModelUnavailable]) -> Answer:
        chat, model = self.chat, self.model
        with watched(
            "chat",
            model,
            request__max_tokens=chat.maximum_tokens,
            request__temperature=chat.temperature,
            request__seed=chat.seed,
            request__stop_sequences=list(chat.stop) or None,
            output__type="json" if chat.output_schema is not None else "text",
        ) as watch:
            call, reused = await self._call(watch)
            text = checked(chat, model, call)
        return await self._kept(call, text, reused, failed)

    async def _call(self, watch: Watched) -> tuple[Call, bool]:
        """Return what the model answered, and whether it was paid for before."""
        chat, model, prompt = self.chat, self.model, self.prompt
        recording = chat.recording or Recording.of_environment()
        if recording is not None and recording.mode == "replay":
            if (call := await found(recording.object_of(model, prompt.asked))) is None:
                raise NotRecorded(
                    f"Model {model.name!r}: the prompt {prompt.digest[:12]} is not among the recorded ones in "
                    f"{recording.url!r}: record it (mode='record'), or ask the model (mode='off')",
                    engine=model.engine,
                )
            # What it would cost now, for whoever replays to compare.
            call = call.model_copy(update={"usage": call.usage.priced(model.price)})
            return self._told(watch, call, reused=True), True
        keeps = chat.store if chat.keep != "digest" else None
        url = call_url(keeps, chat.key, model, prompt.digest) if keeps is not None else None
        call = await found(url) if url is not None else None
        if reused := call is not None:
            self._told(watch, call, reused=True)
        else:
            # Before anything is paid for: a store that is not there is found out now.
            prompt_ref = await self._prompt_ref()
            call = self._told(watch, recorded(model, prompt, await self._reply()), reused=False)
            if url is not None:
                await persisted(url, call.model_copy(update={"prompt_ref": prompt_ref, "labels": labels()}))
        if recording is not None and recording.mode == "record":
            asked = {"prompt": prompt.asked.decode(), "prompt_ref": None, "labels": labels()}
            await persisted(recording.object_of(model, prompt.asked), call.model_copy(update=asked))
        return call, reused

    def _told(self, watch: Watched, call: Call, *, reused: bool) -> Call:
        watch.answered(call.usage, model=call.model, finish_reason=call.finish_reason, reused=reused)
        return call

    async def _reply(self) -> Reply:
        """Ask, in the way that the server is known to take, or in each that is allowed."""
        self._fits()
        if self.chat.output_schema is None:
            return await self._sent("text")
        schema = digest_of(canonical(self.chat.output_schema))
        known = _taken.get(kept := (self.model.base_url, self.model.name, schema))
        ways = _WAYS if self.model.structured == "auto" else (self.model.structured,)
        ways = ways[ways.index(known) :] if known in ways else ways
        for way in ways:
            try:
                answered = await self._sent(way)
            except SchemaUnsupported:
                if way == ways[-1]:
                    raise
                continue
            if len(_taken) >= _MAXIMUM_WAYS_KEPT:
                _taken.clear()
            _taken[kept] = way
            return answered
        raise AssertionError("there is a last way")

    async def _sent(self, way: Way) -> Reply:
        chat, model = self.chat, self.model
        taken = await Share(model).turn(tokens_of(self.prompt.asked), chat.maximum_tokens)
        key = digest_of(f"{chat.key or _step_key()}\0{model.name}\0{self.prompt.digest}\0{way}")[:32]
        sending = Sending(
            model=model,
            path="/chat/completions",
            body=body(model, chat, self.prompt, way),
            key=key if chat.key is not None or activity.in_activity() else "",
            texts=self.prompt.words,
            schema=way in ("json_schema", "json_object"),
            timeout=chat.timeout,
        )
        try:
            said = await reply(sending, self._arrived)
        except (ModelError, ModelUnavailable):
            taken.used(0)
            raise
        taken.used((said.usage or Usage(input_tokens=tokens_of(self.prompt.asked))).tokens)
        return said

    def _arrived(self, characters: int) -> None:
        if self.arrived is not None:
            self.arrived(self.model.engine, characters)

    def _fits(self) -> None:
        """Refuse a prompt that is too long even at twice the usual number of characters a token."""
        model, limit = self.model, self.model.context_tokens
        if limit is None:
            return
        least = len(self.prompt.words) // (2 * CHARACTERS_A_TOKEN)
        if least + (self.chat.maximum_tokens or 0) > limit:
            raise ContextTooLong(
                f"Model {model.name!r} takes {limit:,} tokens (context_tokens), and the prompt has at least some "
                f"{least:,}, with {self.chat.maximum_tokens or 0:,} more for the answer",
                engine=model.engine,
            )

    async def _prompt_ref(self) -> ObjectRef | None:
        if self.kept_prompt is None and self.chat.keep == "reference" and self.chat.store is not None:
            self.kept_prompt = await text_object(self.chat.store, self.prompt.asked, ".json", paid=False)
        return self.kept_prompt

    async def _kept(self, call: Call, text: str, reused: bool, failed: list[ModelError | ModelUnavailable]) -> Answer:
        chat = self.chat
        text_ref = None
        if chat.keep == "reference" and chat.store is not None:
            text_ref = await text_object(chat.store, text, ".txt", paid=True)
        spent = _spent(failed)
        return Answer(
            text,
            Completion(
                text=text if chat.keep == "inline" else None,
                text_ref=text_ref,
                digest=digest_of(text),
                tool_calls=call.tool_calls,
                finish_reason=call.finish_reason,
                usage=call.usage if spent is None else call.usage + spent,
                model=call.model or self.model.name,
                engine=call.engine,
                prompt_digest=self.prompt.digest,
                prompt_ref=await self._prompt_ref(),
                instead_of=tuple(f"{error.engine}: {type(error).__name__}" for error in failed),
                reused=reused,
            ),
        )


def _step_key() -> str:
    return idempotency_key("segue.llm") if activity.in_activity() else ""
