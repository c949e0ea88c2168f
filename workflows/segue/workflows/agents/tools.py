"""Tools of an agent: activities and child workflows, offered to a model by their names and their parameters' types.

    tool(search_orders)                                  # an activity: its docstring tells the model what it does
    tool(refund, approve=True)                           # waits for a person's approval before each call
    tool(Deliver.run, name="deliver", description="...")  # a child workflow, by its run method

What a model sends is validated against the parameters' types before anything is scheduled; what does not fit goes back
to the model. An activity that is declared `at_most_once` or `compensable` waits for approval unless the tool says
`approve=False`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from temporalio import workflow

from segue.activities.errors import describe
from segue.activities.generation.functions import FUNCTION_PATH, NotFound, function, named
from segue.activities.llm import Tool
from segue.activities.system import activity_name, system_of
from segue.workflows.agents.errors import InvalidAgent
from segue.workflows.graph.hints import UNKNOWN, signature

__all__ = ["AgentTool", "InvalidArguments", "agent_tool", "tool"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")

Kind = Literal["activity", "child_workflow", "agent"]


class InvalidArguments(ValueError):
    """What a model sent does not fit a tool's parameters. Its message is for the model."""


class Errand(BaseModel):
    """What another agent, offered as a tool, is given by the model that calls it."""

    task: str


class AgentTool(BaseModel):
    """A tool as it travels: by the name of its function.

    Attributes:
        name: What the model calls it.
        description: What it does, for the model.
        path: The function, as `module:name`; empty for another agent.
        approve: Whether each call waits for a person's approval; None for what the activity's declaration says.
        agent: The agent that it is, whose task is the call's; None for a function.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME.pattern)
    description: str = ""
    path: str = Field(default="", pattern=f"^$|{FUNCTION_PATH}")
    approve: bool | None = None
    agent: dict[str, Any] | None = None

    _fn: Callable[..., Any] | None = PrivateAttr(default=None)
    _parameters: type[BaseModel] | None = PrivateAttr(default=None)
    _single: bool = PrivateAttr(default=False)

    @property
    def kind(self) -> Kind:
        """What it is."""
        if self.agent is not None:
            return "agent"
        return "activity" if activity_name(self.fn) is not None else "child_workflow"

    @property
    def fn(self) -> Callable[..., Any]:
        """The function.

        Raises:
            InvalidAgent: This worker does not have it.
        """
        if self._fn is None:
            try:
                with workflow.unsafe.imports_passed_through():
                    self._fn = function(self.path)
            except NotFound as error:
                raise InvalidAgent(f"Tool {self.name!r}: {error}") from error
        return self._fn

    @property
    def waits_for_approval(self) -> bool:
        """Whether each call waits for a person's approval."""
        if self.approve is not None:
            return self.approve
        if self.kind != "activity":
            return False
        system, name = system_of(self.fn), activity_name(self.fn)
        return system is not None and name in system.effects and system.effects[name].kind != "idempotent"

    def offered(self) -> Tool:
        """Return the tool as a model is offered it."""
        return Tool(name=self.name, description=self.description, parameters=self._model().model_json_schema())

    def arguments(self, sent: str) -> tuple[Any, ...]:
        """Return the function's arguments, as a model sent them in JSON.

        Raises:
            InvalidArguments: They do not fit its parameters.
        """
        model = self._model()
        try:
            value = model.model_validate_json(sent or "{}")
        except pydantic.ValidationError as error:
            raise InvalidArguments(describe(error)) from None
        if self._single:
            return (value,)
        return tuple(getattr(value, name) for name in type(value).model_fields)

    def _model(self) -> type[BaseModel]:
        """Return a model of the function's parameters; of one that takes a single model, that model itself."""
        if self._parameters is None:
            if self.agent is not None:
                self._parameters = Errand
            else:
                self._parameters, self._single = _parameters(self.name, self.fn)
        return self._parameters


def tool(
    fn: Callable[..., Any] | AgentTool,
    *,
    name: str | None = None,
    description: str | None = None,
    approve: bool | None = None,
) -> AgentTool:
    """Return an activity, or a child workflow by its run method, as a tool.

    Args:
        fn: The function.
        name: What the model calls it; by default its registered name, with what a name may not hold replaced by `_`.
        description: What it does; by default the first paragraph of its docstring.
        approve: Whether each call waits for a person's approval; by default if its declaration says that it takes
            effect at most once, or has to be undone.

    Raises:
        InvalidAgent: It is no activity and no workflow's run method, has a parameter without a type, or is not found
            by other processes.
    """
    if isinstance(fn, AgentTool):
        return fn
    registered = activity_name(fn) or getattr(getattr(fn, "__temporal_workflow_definition", None), "name", None)
    shown = getattr(fn, "__qualname__", repr(fn))
    if registered is None:
        raise InvalidAgent(
            f"Tool {shown!r} is neither an activity nor a workflow's run method: declare it with @system.activity"
        )
    try:
        path = named(fn)
    except ValueError as problem:
        raise InvalidAgent(f"Tool {shown!r} is carried by its name, and cannot be: {problem}") from None
    called = name or _UNFIT.sub("_", registered).strip("_")
    if not _NAME.fullmatch(called):
        raise InvalidAgent(f"Tool {shown!r}: name={called!r} must be 1 to 64 letters, digits, '_' and '-'")
    told = description if description is not None else _told(fn)
    if not told:
        raise InvalidAgent(f"Tool {called!r} has no description: give it a docstring, or description=")
    made = AgentTool(name=called, description=told, path=path, approve=approve)
    made._fn = fn  # pyright: ignore[reportPrivateUsage]
    made.offered()
    return made


def agent_tool(name: str, description: str, agent: BaseModel, *, approve: bool | None = None) -> AgentTool:
    """Return another agent as a tool: a child workflow, which is given its task by the model that calls it.

    Args:
        name: What the model calls it.
        description: What it does.
        agent: What it is, as an `AgentTask` whose `task` is replaced.
        approve: Whether each call waits for a person's approval.
    """
    return AgentTool(name=name, description=description, approve=approve, agent=agent.model_dump(mode="json"))


def _parameters(name: str, fn: Callable[..., Any]) -> tuple[type[BaseModel], bool]:
    taken = signature(fn)
    if taken.rest is not None:
        raise InvalidAgent(f"Tool {name!r} takes any number of arguments (*args), which a schema cannot say")
    defaults = {key: one.default for key, one in inspect.signature(fn).parameters.items()}
    fields: dict[str, Any] = {}
    for parameter in taken.parameters:
        if parameter.hint is UNKNOWN or parameter.hint is Any:
            raise InvalidAgent(
                f"Tool {name!r}: parameter {parameter.name!r} has no type, so that a model cannot know it"
            )
        fields[parameter.name] = (parameter.hint, ... if parameter.required else defaults[parameter.name])
    if len(fields) == 1:
        [(hint, default)] = fields.values()
        if default is ... and inspect.isclass(hint) and issubclass(hint, BaseModel):
            return hint, True
    try:
        made: type[BaseModel] = pydantic.create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        made.model_json_schema()
    except pydantic.errors.PydanticUserError as error:
        raise InvalidAgent(f"Tool {name!r} has a parameter that no JSON schema describes: {error.message}") from error
    return made, False


def _told(fn: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(fn) or "").split("\n\n")[0].split())
