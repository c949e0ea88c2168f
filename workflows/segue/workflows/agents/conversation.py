"""An agent's loop: its model takes a turn, the tools that it wishes for are called, and so on until it answers.

Each turn and each call is a step of its own, so that a crash repeats none. What the model says lies in the transcript,
an object; the history holds its references, the names and arguments of the calls, and what tools return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pydantic
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, is_cancelled_exception

from segue.activities import faithful
from segue.activities.agents import steps
from segue.activities.agents.steps import Append, ToolAnswer, Turn, Turned
from segue.activities.errors import PayloadError, describe
from segue.activities.llm import Tool, ToolCall, Usage
from segue.activities.objects import ObjectRef
from segue.workflows.agents.answers import content, fitting, object_schema, unwrapped
from segue.workflows.agents.shown import ShownAgent, State, show
from segue.workflows.agents.task import AgentResult, AgentTask, FinishReason, Progress
from segue.workflows.agents.tools import AgentTool, InvalidArguments
from segue.workflows.approvals.approval import approval
from segue.workflows.generation.review import Review
from segue.workflows.generation.running import engine_failure

__all__ = ["ANSWER", "Conversation"]

ANSWER: Final = "answer"
"""The tool by which an agent whose output has a type gives its answer."""

_RECEIVED: Final = "Received."
_NOT_ALONE: Final = "Not called: the answer was given in the same turn."
_MOST_CALLS: Final = 20
_SHOWN_ARGUMENTS: Final = 2000
_MESSAGE: Final = 1000
# What one turn is told of its tools is one value of the history, which ends at 2 MB.
_ANSWERS_BYTES: Final = 1_000_000

# Another agent ends at the time that is left by itself, and then tells what it spent.
_GRACE: Final = timedelta(seconds=10)
_OUT_OF_TIME: Final = (
    "Given up: the time of the budget is used up. Whether it took effect, if it was called, is not known."
)

# Of these another answer of the same model may be free.
_AGAIN: Final[dict[str, str]] = {
    "Truncated": "Your answer was cut off at its greatest length, and nothing of it was kept. Give it again, shorter.",
    "InvalidOutput": "Your answer could not be read, and nothing of it was kept. Give it again.",
}

# Runs that began before these were so go on as they began.
_ASKS_AGAIN: Final = "segue.agents/asks-again"
_BOUNDED: Final = "segue.agents/tools-bounded"
_COUNTED: Final = "segue.agents/children-counted"


class Conversation:
    """One agent under way.

    Args:
        task: What it is to do.
        tools: What it may call.
        output: The type of its answer; None for text.
        review: How a person is asked for approval.

    Attributes:
        stopping: Whether it is to end after its turn.
        progress: How far it has come.
    """

    def __init__(
        self, task: AgentTask, tools: Sequence[AgentTool], output: Any, progress: Progress, review: Review | None = None
    ) -> None:
        self.stopping = False
        self.progress = progress
        self._task = task
        self._tools = {one.name: one for one in tools}
        self._output = output
        self._review = review or Review()
        self._offered = [one.offered() for one in tools]
        if output is not None:
            told = "Give your final answer. Call it alone, when the task is done."
            self._offered.append(Tool(name=ANSWER, description=told, parameters=object_schema(output)))
        self._state: State = "thinking"
        self._calling: tuple[str, ...] = ()
        self._children = Usage()
        self._name = show(task.name, self)

    async def run(self, full: Callable[[int], bool] = lambda turns: False) -> AgentResult[Any] | None:
        """Go on until the agent ends, and return what came of it; None if the run is full before.

        Args:
            full: Whether the run is to be continued as new, given how many turns it has had.
        """
        turns = 0
        while True:
            progress = self.progress
            bound = self._task.budget.reached(progress.turns, progress.usage, self._elapsed())
            if self.stopping or bound is not None:
                return await self._ended("stopped" if self.stopping or bound is None else bound)
            if full(turns):
                return None
            turns += 1
            ended = await self._turn()
            if ended is not None:
                return ended

    def shown(self, name: str) -> ShownAgent:
        """Return how far it has come, for a query."""
        progress = self.progress
        return ShownAgent(
            name=name,
            state=self._state,
            turns=progress.turns,
            calls=progress.calls,
            calling=self._calling,
            tokens=progress.usage.tokens,
            cost_usd=progress.usage.cost_usd,
            transcript=progress.transcript.url,
        )

    async def _turn(self) -> AgentResult[Any] | None:
        """Have the model take a turn, and the tools called that it wishes for."""
        task, before = self._task, self.progress
        self._state = "thinking"
        request = Turn(
            transcript=before.transcript,
            answers=before.answers,
            prompt=before.prompt,
            model=task.model,
            tools=tuple(self._offered),
            store=task.store,
            name=f"{self._name}: turn {before.turns + 1}",
            maximum_tokens=_least(task.maximum_tokens, task.budget.answer_tokens(before.usage, 1, task.model)),
            temperature=task.temperature,
        )
        try:
            turned: Turned = await workflow.execute_activity(
                steps.turn,
                request,
                summary=f"{self._name} turn {before.turns + 1}, {task.model.engine}",
                schedule_to_close_timeout=task.budget.time_left(self._elapsed()),
            )
        except ActivityError as error:
            failure, problem = engine_failure(error, timed=task.budget.wall_time is not None)
            return await self._ended("wall_time" if failure == "OutOfTime" else "model_failed", problem=problem)
        self.progress = Progress(
            transcript=turned.transcript,
            turns=before.turns + 1,
            calls=before.calls,
            usage=before.usage + turned.usage,
            began=before.began,
        )
        if turned.failure is not None:
            again = _AGAIN.get(turned.failure)
            if again is not None and before.prompt != again and workflow.patched(_ASKS_AGAIN):
                self._prompt(again)
                return None
            return await self._ended("model_failed", problem=f"{turned.failure}: {turned.problem}")
        if not turned.calls:
            return await self._said(turned)
        return await self._called(turned.calls, turned.unfit)

    async def _said(self, turned: Turned) -> AgentResult[Any] | None:
        """Return the end, if a text is the answer; else have the model told what is wanted."""
        if self._output is not None:
            self._prompt(f"Give your answer by calling the tool {ANSWER!r}.")
            return None
        if turned.output is None or not turned.output.size_bytes:
            self._prompt("Your answer was empty. Give it, or call a tool.")
            return None
        return await self._ended("answered", output=turned.output)

    async def _called(self, calls: Sequence[ToolCall], unfit: Mapping[str, str]) -> AgentResult[Any] | None:
        answers: dict[int, ToolAnswer] = {}
        for at, call in enumerate(calls):
            if call.id in unfit:
                answers[at] = ToolAnswer(call=call.id, content=unfit[call.id])
                continue
            if self._output is None or call.name != ANSWER:
                continue
            try:
                value = faithful.adapter(self._output).validate_json(unwrapped(self._output, call.arguments))
            except (pydantic.ValidationError, ValueError) as error:
                why = describe(error) if isinstance(error, pydantic.ValidationError) else str(error)
                answers[at] = ToolAnswer(call=call.id, content=f"Your answer is not of the form asked for: {why}")
                continue
            self._answer(ToolAnswer(call=one.id, content=_RECEIVED if one is call else _NOT_ALONE) for one in calls)
            return await self._ended("answered", value=value)
        rest = [(at, call) for at, call in enumerate(calls) if at not in answers]
        self._state, self._calling = "calling", tuple(call.name for _, call in rest)
        first, self._children = self.progress.calls, Usage()
        agents = sum(self._is_agent(call) for _, call in rest[:_MOST_CALLS])
        made = await asyncio.gather(
            *(self._call(call, first + number, agents) for number, (_, call) in enumerate(rest[:_MOST_CALLS], 1))
        )
        for (at, call), answer in zip(rest[:_MOST_CALLS], made, strict=True):
            answers[at] = ToolAnswer(call=call.id, content=answer)
        for at, call in rest[_MOST_CALLS:]:
            answers[at] = ToolAnswer(call=call.id, content=f"Not called: at most {_MOST_CALLS} calls a turn.")
        self._calling = ()
        self.progress = self.progress.model_copy(
            update={"calls": first + len(rest[:_MOST_CALLS]), "usage": self.progress.usage + self._children}
        )
        self._answer(answers[at] for at in range(len(calls)))
        return None

    def _is_agent(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        return tool is not None and tool.agent is not None

    async def _call(self, call: ToolCall, number: int, agents: int) -> str | ObjectRef:
        """Return what a tool answers, or why it was not called, for the model to go on with."""
        tool = self._tools.get(call.name)
        if tool is None:
            return f"There is no tool {call.name!r}: {', '.join(map(repr, self._tools)) or 'none at all'}."
        try:
            arguments = tool.arguments(call.arguments)
        except InvalidArguments as problem:
            return f"Not called, because the arguments do not fit: {problem}"[:_MESSAGE]
        work = self._answered(tool, call, arguments, number, agents)
        left = self._task.budget.time_left(self._elapsed())
        if left is None or not workflow.patched(_BOUNDED):
            return await work
        return await self._in_time(work, left if tool.agent is None else left + _GRACE, tool.name)

    async def _answered(
        self, tool: AgentTool, call: ToolCall, arguments: tuple[Any, ...], number: int, agents: int
    ) -> str | ObjectRef:
        if tool.waits_for_approval and (refused := await self._refused(tool, call)):
            return refused
        try:
            return content(await self._made(tool, arguments, number, agents))
        except PayloadError as problem:
            return f"Not called, because the arguments do not fit: {problem.message}"[:_MESSAGE]
        except (ActivityError, ChildWorkflowError) as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause
            said = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
            kind = cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
            return f"The call failed. {kind}: {said.removeprefix(f'{kind}: ')}"[:_MESSAGE]

    async def _in_time(self, work: Coroutine[Any, Any, str | ObjectRef], left: timedelta, name: str) -> str | ObjectRef:
        """Return what a call answers, or that it was given up: it, and whoever was asked for approval."""
        call = asyncio.create_task(work)
        try:
            await workflow.wait_condition(call.done, timeout=left, timeout_summary=f"{self._name}: time for {name}")
        except TimeoutError:
            call.cancel()
            await workflow.wait([call])
            if call.cancelled():
                return _OUT_OF_TIME
            if (error := call.exception()) is not None and is_cancelled_exception(error):
                return _OUT_OF_TIME
        except asyncio.CancelledError:
            call.cancel()
            await workflow.wait([call])
            raise
        return call.result()

    async def _made(self, tool: AgentTool, arguments: tuple[Any, ...], number: int, agents: int) -> Any:
        info = workflow.info()
        if tool.kind == "activity":
            return await workflow.execute_activity(tool.fn, args=arguments, summary=f"{self._name}: {tool.name}")
        # A child's id is one of the namespace, where the child of a run before this one may still hold it.
        id = f"{info.workflow_id}/{self._name}/{tool.name}-{number}-{str(workflow.uuid4())[:8]}"
        if tool.agent is not None:
            return await self._asked(tool, AgentTask.model_validate(tool.agent), arguments[0], id, agents)
        fn: Any = tool.fn
        return await workflow.execute_child_workflow(
            fn, args=arguments, id=id, static_summary=f"{self._name}: {tool.name}"
        )

    async def _asked(self, tool: AgentTool, task: AgentTask, errand: str, id: str, agents: int) -> Any:
        """Return what another agent answers, which spends of this one's budget."""
        counted, budget = workflow.patched(_COUNTED), task.budget
        if counted:
            usage, elapsed = self.progress.usage, self._elapsed()
            if (bound := self._task.budget.reached(0, usage, elapsed)) is not None:
                return f"Not called: the budget is used up ({bound})."
            budget = budget.within(self._task.budget.share(usage, elapsed, agents))
        ended: AgentResult[Any] = await workflow.execute_child_workflow(
            "segue.Agent",
            task.model_copy(update={"task": errand, "budget": budget}),
            id=id,
            result_type=AgentResult[Any],
            static_summary=f"{self._name}: {tool.name}",
        )
        if counted:
            self._children += ended.usage
        return ended

    async def _refused(self, tool: AgentTool, call: ToolCall) -> str | None:
        """Return what the model is told if a person refuses a call; None if they approve it."""
        review = self._review
        sent = call.arguments[:_SHOWN_ARGUMENTS]
        decision = await approval(
            review.question or f"{self._name}: call {tool.name}?",
            name=f"{self._name}-{tool.name}",
            details=f"{tool.description}\n\n```json\n{sent}\n```",
            by=review.by,
            on_deadline=_DEADLINE[review.on_deadline] if review.by is not None else None,
            allowed=review.allowed,
            notify=review.notify,
        )
        if decision.approved:
            return None
        if decision.from_deadline:
            return "Not called: nobody approved it in time."
        return "Not called: a person refused it" + (f" and said: {decision.comment}" if decision.comment else ".")

    def _answer(self, answers: Iterable[ToolAnswer]) -> None:
        told = tuple(answers)
        most = _ANSWERS_BYTES // max(min(len(told), _MOST_CALLS), 1)
        self.progress = self.progress.model_copy(update={"answers": tuple(fitting(one, most) for one in told)})

    def _prompt(self, text: str) -> None:
        self.progress = self.progress.model_copy(update={"prompt": text})

    async def _ended(
        self,
        reason: FinishReason,
        *,
        output: ObjectRef | None = None,
        value: Any = None,
        problem: str = "",
    ) -> AgentResult[Any]:
        """Return what came of it; what tools have answered since the last turn is in the transcript too."""
        self._state = "ended"
        progress = self.progress
        if progress.answers:
            noted = Append(transcript=progress.transcript, answers=progress.answers, store=self._task.store)
            transcript = await workflow.execute_activity(
                steps.append, noted, summary=f"{self._name}: what tools have answered"
            )
            progress = self.progress = progress.model_copy(update={"transcript": transcript, "answers": ()})
        return AgentResult[Any](
            output=output,
            value=value,
            transcript=progress.transcript,
            finish_reason=reason,
            turns=progress.turns,
            calls=progress.calls,
            usage=progress.usage,
            engine=self._task.model.engine,
            problem=problem,
        )

    def _elapsed(self) -> timedelta:
        return workflow.now() - self.progress.began


_DEADLINE: Final[dict[str, Any]] = {"accept": "approve", "reject": "reject"}


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)
