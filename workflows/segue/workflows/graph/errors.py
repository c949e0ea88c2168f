"""What can be wrong with a graph.

Terminal                 (segue.activities)
├── InvalidGraph         it is declared so that it cannot run; nothing was started
├── GraphFailed          steps failed, and nothing after them made up for it
├── ItemsFailed          items of a mapped step failed
└── NoResult             a step's result is asked for, and it has none
"""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.exceptions import ActivityError, ChildWorkflowError

from segue.activities.errors import Terminal

__all__ = ["GraphFailed", "InvalidGraph", "ItemsFailed", "NoResult", "quoted", "told"]

# A failure over the server's limit is never delivered: a message names only so many steps, each on so much of a line.
_NAMED = 10
_LIMIT = 200


class InvalidGraph(Terminal):
    """The graph is declared so that it cannot run. Nothing was started.

    Attributes:
        problems: What is wrong, a sentence each, all of it.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = [f"The graph cannot run, for {len(problems)} reasons:", *(f"- {problem}" for problem in problems)]
        super().__init__(problems[0] if len(problems) == 1 else "\n".join(lines))


class GraphFailed(Terminal):
    """Steps failed, and nothing after them made up for it. Its cause is the error of the first that failed.

    Attributes:
        failed: Names of the steps that ran and failed, the first to fail first.
        not_started: Names of the steps that did not start because of them.
    """

    def __init__(self, failed: Sequence[tuple[str, BaseException]], not_started: Sequence[str]) -> None:
        self.failed = tuple(name for name, _ in failed)
        self.not_started = tuple(not_started)
        shown = [f"step {name!r} failed: {told(error)}" for name, error in failed[:_NAMED]]
        if len(failed) > _NAMED:
            shown.append(f"so did {len(failed) - _NAMED} more")
        if not_started:
            shown.append(f"not started because of that: {quoted(not_started)}")
        super().__init__("The graph failed: " + "; ".join(shown))


class ItemsFailed(Terminal):
    """Items of a mapped step failed. Its cause is the error of the first of them in the items' order.

    Attributes:
        indices: The failed items, by their place in the list.
        total: How many items there are; those after the first failure in time may not have been started.
    """

    def __init__(self, errors: Sequence[tuple[int, BaseException]], total: int) -> None:
        self.indices = tuple(index for index, _ in errors)
        self.total = total
        index, error = errors[0]
        which = f"item {index}" if len(errors) == 1 else f"{len(errors)} items, the first of them item {index},"
        super().__init__(f"{which} of {total} failed: {told(error)}")


class NoResult(Terminal):
    """A step's result is asked for, and it has none.

    Attributes:
        step: Name of the step.
        state: What became of it.
    """

    def __init__(self, step: str, state: str, error: BaseException | None) -> None:
        self.step = step
        self.state = state
        why = f": {told(error)}" if error is not None else ""
        super().__init__(f"Step {step!r} has no result, for it is {state.replace('_', ' ')}{why}")


def told(error: BaseException) -> str:
    """Return an error on one line: that of the activity or child itself, not the one that wraps it."""
    if isinstance(error, (ActivityError, ChildWorkflowError)) and error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    if type(error).__module__ == "builtins" and str(error):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"


def quoted(names: Sequence[str]) -> str:
    """Return names for a message, the first of them if they are many."""
    shown = [repr(name) for name in names[:_NAMED]]
    if len(names) > _NAMED:
        shown.append(f"and {len(names) - _NAMED} more")
    return ", ".join(shown)
