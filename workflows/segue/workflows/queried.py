"""What a run shows in a query of its own: kept by the query's handler, and found again through it.

    shown = shared(QUERY, Shown)      # the run's, which answers the query from now on
    shown = of_this_run(QUERY, Shown) # None if the run has none

So it belongs to the run, and no run needs to be told of it.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from temporalio import workflow

__all__ = ["Queried", "of_this_run", "shared"]


class Queried(Protocol):
    """Answers a query."""

    def query(self) -> Any:
        """Return the answer."""
        ...


Q = TypeVar("Q", bound=Queried)
T = TypeVar("T")


def shared(query: str, kind: type[Q]) -> Q:
    """Return what this run shows in a query, made if there is none yet; a handler of the run's own is left alone."""
    shown = of_this_run(query, kind)
    if shown is None:
        shown = kind()
        if workflow.get_query_handler(query) is None:  # pyright: ignore[reportUnknownMemberType]
            workflow.set_query_handler(query, shown.query)  # pyright: ignore[reportUnknownMemberType]
    return shown


def of_this_run(query: str, kind: type[T]) -> T | None:
    """Return what this run shows in a query; None if it shows nothing there."""
    handler: Any = workflow.get_query_handler(query)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    shown: object = getattr(handler, "__self__", None)  # pyright: ignore[reportUnknownArgumentType]
    return shown if isinstance(shown, kind) else None
