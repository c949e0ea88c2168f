"""The agents of a run, for whoever looks and whoever stops them: a query tells how far each is, a signal ends it.

client.get_workflow_handle(id).signal("segue_stop_agent")               # all agents of the run, after their turn
client.get_workflow_handle(id).signal("segue_stop_agent", "researcher") # one of them
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict
from temporalio import workflow

from segue.workflows.queried import shared

__all__ = ["QUERY", "STOP", "ShownAgent", "show"]

QUERY: Final = "segue_agents"
"""The query that returns the agents of a run, in the order of their start, as `ShownAgent`."""

STOP: Final = "segue_stop_agent"
"""The signal that stops an agent after its turn. It takes the agent's name; none for all agents of the run."""

_KEPT: Final = 100

State = Literal["thinking", "calling", "ended"]


class ShownAgent(BaseModel):
    """An agent of a run.

    Attributes:
        name: Its name, one of its kind in the run.
        state: What it is doing.
        turns: How many turns it has had.
        calls: How many tools it has had called.
        calling: The tools that it waits for.
        tokens: Tokens so far.
        cost_usd: Cost so far; None where its model has no price.
        transcript: URL of what was said.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    turns: int
    calls: int
    calling: tuple[str, ...]
    tokens: int
    cost_usd: float | None
    transcript: str


class Showable(Protocol):
    """What is asked of an agent."""

    stopping: bool

    def shown(self, name: str) -> ShownAgent: ...


class Shown:
    """The agents of one run. It is the query's handler, and found through it."""

    def __init__(self) -> None:
        self._agents: dict[str, Showable] = {}
        self._counts: dict[str, int] = {}
        if workflow.get_signal_handler(STOP) is None:  # pyright: ignore[reportUnknownMemberType]
            workflow.set_signal_handler(STOP, self.stop)  # pyright: ignore[reportUnknownMemberType]

    def add(self, name: str, agent: Showable) -> str:
        """Show an agent from now on, and return its name, which no other of the run has."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        unique = name if count == 1 else f"{name}-{count}"
        self._agents[unique] = agent
        if len(self._agents) > _KEPT:
            del self._agents[next(iter(self._agents))]
        return unique

    def query(self) -> list[ShownAgent]:
        """Return the agents of the run."""
        return [agent.shown(name) for name, agent in self._agents.items()]

    def stop(self, name: str = "") -> None:
        """Stop an agent after its turn, or all of them."""
        for known, agent in self._agents.items():
            if name in ("", known):
                agent.stopping = True


def show(name: str, agent: Showable) -> str:
    """Show an agent in the queries of this run, and return its name there."""
    return shared(QUERY, Shown).add(name, agent)
