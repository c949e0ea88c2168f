"""What is refused before a graph runs, with the whole message; and how a declared graph is named and drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

import pytest
from temporalio import activity, workflow

from segue.workflows import (
    ALL_DONE,
    ALL_FAILED,
    ALWAYS,
    NONE_FAILED_MIN_ONE_SUCCEEDED,
    ONE_FAILED,
    ONE_SUCCEEDED,
    Graph,
    InvalidGraph,
    Outcome,
)


@activity.defn
async def extract(source: str) -> list[int]: ...  # type: ignore[empty-body]
@activity.defn
async def load(rows: list[int]) -> int: ...  # type: ignore[empty-body]
@activity.defn
async def load_any(rows: list[int] | None, more: list[int] | None = None) -> int: ...  # type: ignore[empty-body]
@activity.defn
async def told(outcome: Outcome[list[int]]) -> None: ...
@activity.defn
async def square(row: int) -> int: ...  # type: ignore[empty-body]
@activity.defn
async def shout(text: str) -> str: ...  # type: ignore[empty-body]
@activity.defn
async def drop(cluster: str) -> None: ...
@activity.defn
async def start() -> str: ...  # type: ignore[empty-body]


class Fields(TypedDict):
    rows: int


@dataclass
class Rows:
    rows: int


@activity.defn
async def give_dict() -> dict[str, Any]: ...  # type: ignore[empty-body]
@activity.defn
async def give_fields() -> Fields: ...  # type: ignore[empty-body]
@activity.defn
async def give_rows() -> Rows: ...  # type: ignore[empty-body]
@activity.defn
async def take_fields(fields: Fields) -> None: ...
@activity.defn
async def take_any(values: list[Any]) -> None: ...
@activity.defn
async def take_dict(fields: dict[str, Any]) -> None: ...


async def undecorated(text: str) -> str: ...  # type: ignore[empty-body]


@workflow.defn
class Audit:
    @workflow.run
    async def run(self, rows: int) -> str: ...  # type: ignore[empty-body]


@workflow.defn
class Other:
    @workflow.run
    async def run(this, rows: int) -> str: ...  # type: ignore[empty-body]  # pyright: ignore


def stranger(graph: Graph) -> None:
    graph.step(load, Graph().step(extract, "a", name="login"))


def strangers(graph: Graph) -> None:
    other = Graph()
    graph.step(load, other.step(extract, "a", name="login"), after=other.step(start, name="boot"))


def cycle(graph: Graph) -> None:
    one = graph.step(start, name="one")
    two = graph.step(shout, one, name="two")
    three = graph.step(shout, two, name="three")
    one.after(three)


def itself(graph: Graph) -> None:
    one = graph.step(start)
    one.after(one)


def wrong_type(graph: Graph) -> None:
    graph.step(shout, graph.step(extract, "a"))


def wrong_constant(graph: Graph) -> None:
    graph.step(load, "rows")


def too_few(graph: Graph) -> None:
    graph.step(load)


def too_many(graph: Graph) -> None:
    graph.step(load, [1], [2])


def may_be_missing(graph: Graph) -> None:
    rows = graph.step(extract, "a")
    graph.step(load, rows, when=ALL_DONE)


def never_there(graph: Graph) -> None:
    rows = graph.step(extract, "a")
    graph.step(load_any, rows, when=ALL_FAILED)


def starts_at_once(graph: Graph) -> None:
    rows = graph.step(extract, "a")
    graph.step(load_any, rows, when=ALWAYS)


def no_outcome(graph: Graph) -> None:
    rows = graph.step(extract, "a")
    graph.step(load, rows.outcome)


def nothing_before(graph: Graph) -> None:
    graph.step(start, when=ONE_FAILED)


def no_choice(graph: Graph) -> None:
    graph.branch(lambda: None, name="route")


def after_a_teardown(graph: Graph) -> None:
    cluster = graph.step(start)
    dropped = graph.step(drop, cluster, teardown_of=cluster)
    graph.step(extract, "a", after=dropped)


def teardown_with_a_rule(graph: Graph) -> None:
    cluster = graph.step(start)
    graph.step(drop, cluster, teardown_of=cluster, when=ALL_DONE)


def no_activity(graph: Graph) -> None:
    graph.step(undecorated, "a")


def by_name(graph: Graph) -> None:
    name: Any = "charge"
    graph.step(name, name="charge")


def a_workflow_class(graph: Graph) -> None:
    graph.step(Audit, 1)


def strange_option(graph: Graph) -> None:
    graph.step(Audit.run, 1, start_to_close_timeout=timedelta(seconds=1), summary="all")


def one_id_for_many(graph: Graph) -> None:
    graph.map(square, [1, 2], activity_id="square")


def no_items(graph: Graph) -> None:
    graph.map(square, graph.step(start))


def wrong_items(graph: Graph) -> None:
    graph.map(shout, graph.step(extract, "a"))


def items_may_be_missing(graph: Graph) -> None:
    graph.map(square, graph.step(extract, "a"), when=ALL_DONE)


def nothing_at_once(graph: Graph) -> None:
    graph.map(square, [1], concurrency=0)


def no_fields(graph: Graph) -> None:
    graph.step(take_fields, graph.step(extract, "a"))
    graph.step(take_fields, graph.step(give_rows))


def inside_of_something(graph: Graph) -> None:
    one = graph.step(give_dict, name="one")
    rows: Any = Rows({"deep": [one.outcome]})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    graph.step(take_dict, {"one": one})
    graph.step(take_any, [[one], one.outcome, {"two": {one}}, rows])


def same_id(graph: Graph) -> None:
    one = graph.step(start, activity_id="boot")
    graph.step(start, name="boot", after=one)
    graph.map(square, [1], name="many")  # its items have ids of their own
    graph.step(start, name="two", activity_id="many")


def no_rule(graph: Graph) -> None:
    bad: Any = "all_sucess"
    rows = graph.step(extract, "a")
    graph.step(load, rows, when=bad)
    named: Any = "all_done"
    cluster = graph.step(start)
    graph.step(drop, cluster, teardown_of=cluster, when=named)
    named = "all_failed"
    graph.step(start, when=named)


def option_of_another_type(graph: Graph) -> None:
    options: Any = {"start_to_close_timeout": 5, "task_queue": "here", "cancellation_type": 1, "priority": None}
    graph.step(start, **options)
    child: Any = {"id": 7, "memo": {"a": 1}, "run_timeout": None}
    graph.step(Audit.run, 1, **child)
    number: Any = 5
    two: Any = "2"
    graph.step(start, name=number)
    graph.map(square, [1], name="many", concurrency=two)


def no_list(graph: Graph) -> None:
    for items in ("12", {1: 2}, range(2), 7, None):
        strange: Any = items
        graph.map(square, strange)


def no_step(graph: Graph) -> None:
    strange: Any = "one"
    one = graph.step(start, after=[strange])
    outcome: Any = one.outcome
    two = graph.step(start, teardown_of=outcome)
    two.after(strange)
    graph.step(start, after=strange)
    nothing: Any = None
    graph.step(start, after=nothing)


def same_name(graph: Graph) -> None:
    graph.step(start, name="one")
    graph.step(start, name="one")


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (stranger, "Step 'load' needs 'login', which is not in the graph"),
        (
            strangers,
            "The graph cannot run, for 2 reasons:\n- Step 'load' needs 'login', which is not in the graph\n"
            "- Step 'load' needs 'boot', which is not in the graph",
        ),
        (cycle, "Steps wait for each other in a cycle: 'two' → 'three' → 'one' → 'two'"),
        (itself, "Steps wait for each other in a cycle: 'start' → 'start'"),
        (wrong_type, "Step 'shout' takes 'text' as str, but 'extract' returns list[int]"),
        (
            wrong_constant,
            "Step 'load' cannot take 'rows': list[int] is not valid: (value): Input should be a valid array",
        ),
        (too_few, "Step 'load' lacks 'rows': 0 arguments given, load takes 1"),
        (too_many, "Step 'load' has 2 arguments, but load takes 1"),
        (
            may_be_missing,
            "Step 'load' may run without a result of 'extract' (ALL_DONE), but takes 'rows' as list[int]: "
            "declare it list[int] | None, or pass extract.outcome",
        ),
        (
            never_there,
            "Step 'load_any' runs only if 'extract' failed (ALL_FAILED), so there is no result for 'rows': "
            "pass extract.outcome",
        ),
        (
            starts_at_once,
            "Step 'load_any' starts at once (ALWAYS), so it cannot take 'rows' from 'extract': use ALL_DONE",
        ),
        (no_outcome, "Step 'load' takes 'rows' as list[int], but is given an Outcome: pass the step itself"),
        (nothing_before, "Step 'start' waits for ONE_FAILED, but nothing stands before it"),
        (no_choice, "Step 'route' is a branch with no step after it to choose: declare steps with after=route"),
        (after_a_teardown, "Step 'extract' stands after the teardown 'drop': only a teardown may"),
        (
            teardown_with_a_rule,
            "Step 'drop' is a teardown, which runs whenever its setup completed: leave out when=ALL_DONE",
        ),
        (
            no_activity,
            "Step 'undecorated': undecorated is neither an activity nor a workflow's run method: "
            "decorate it with @activity.defn",
        ),
        (
            by_name,
            "Step 'charge': 'charge' is a name: declare a function of that name with @activity.defn, for its types",
        ),
        (a_workflow_class, "Step 'Audit': Audit is a workflow: pass its run method, such as Audit.run"),
        (strange_option, "Step 'Audit' is a child workflow, which takes no start_to_close_timeout, summary"),
        (
            one_id_for_many,
            "Step 'square' runs once for each item, which cannot all have the same activity_id: leave it out",
        ),
        (no_items, "Step 'square' takes each item as int, but 'start' returns str"),
        (wrong_items, "Step 'shout' takes each item as str, but 'extract' returns list[int]"),
        (
            items_may_be_missing,
            "Step 'square' may run without a result of 'extract' (ALL_DONE), and so without items",
        ),
        (nothing_at_once, "Step 'square' has concurrency=0, which lets nothing run: it must be at least 1"),
        (
            no_fields,
            "The graph cannot run, for 2 reasons:\n- Step 'take_fields' takes 'fields' as Fields, but 'extract' "
            "returns list[int]\n- Step 'take_fields-2' takes 'fields' as Fields, but 'give_rows' returns Rows",
        ),
        (
            inside_of_something,
            "The graph cannot run, for 3 reasons:\n"
            "- Step 'take_dict' is given 'one' inside of a dict, where no result takes its place: pass it as an "
            "argument, or in a list that is one\n"
            "- Step 'take_any' is given 'one' inside of a dict, where no result takes its place: pass it as an "
            "argument, or in a list that is one\n"
            "- Step 'take_any' is given 'one' inside of a Rows, where no result takes its place: pass it as an "
            "argument, or in a list that is one",
        ),
        (
            same_id,
            "Steps 'start', 'boot' have the activity id 'boot', by which Temporal tells them apart: leave "
            "activity_id out",
        ),
        (
            no_rule,
            "The graph cannot run, for 3 reasons:\n"
            "- Step 'load' has when='all_sucess', which is no rule: pass one, such as ALL_DONE\n"
            "- Step 'drop' has when='all_done', which is no rule: pass one, such as ALL_DONE\n"
            "- Step 'start-2' has when='all_failed', which is no rule: pass one, such as ALL_DONE",
        ),
        (
            option_of_another_type,
            "The graph cannot run, for 5 reasons:\n"
            "- Step 'many' has concurrency='2', which lets nothing run: it must be at least 1\n"
            "- Step 'start' has start_to_close_timeout=5, but takes it as timedelta | None\n"
            "- Step 'start' has priority=None, but takes it as Priority\n"
            "- Step 'Audit' has id=7, but takes it as str | None\n"
            "- Step 5 has name=5, but takes it as str",
        ),
        (
            no_list,
            "The graph cannot run, for 5 reasons:\n"
            "- Step 'square' maps over a value of type 'str': pass a list, or a step\n"
            "- Step 'square-2' maps over a value of type 'dict': pass a list, or a step\n"
            "- Step 'square-3' maps over a value of type 'range': pass a list, or a step\n"
            "- Step 'square-4' maps over a value of type 'int': pass a list, or a step\n"
            "- Step 'square-5' maps over a value of type 'NoneType': pass a list, or a step",
        ),
        (
            no_step,
            "The graph cannot run, for 5 reasons:\n"
            "- Step 'start' stands after 'one', which is no step: pass what graph.step returned\n"
            "- Step 'start-2' stands after 'one', which is no step: pass what graph.step returned\n"
            "- Step 'start-2' is a teardown of Step('start').outcome, which is no step: pass what graph.step returned\n"
            "- Step 'start-3' stands after 'one', which is no step: pass what graph.step returned\n"
            "- Step 'start-4' stands after None, which is no step: pass what graph.step returned",
        ),
        (same_name, "2 steps are named 'one': give each a name of its own"),
    ],
)
def test_what_cannot_run_is_refused(declare: Callable[[Graph], None], message: str) -> None:
    """A graph that cannot run is refused as a whole, with a message that names what is wrong."""
    graph = Graph()
    declare(graph)

    with pytest.raises(InvalidGraph) as refused:
        graph.check()
    assert refused.value.message == message


def test_a_lawful_graph_is_let_pass() -> None:
    """Optional parameters, outcomes, typed dicts, and rules that assure a result pass the check."""
    graph = Graph()
    rows, more = graph.step(extract, "a"), graph.step(extract, "b")
    graph.step(load_any, rows, more, when=ALL_DONE)
    graph.step(load, rows, when=ONE_SUCCEEDED)
    graph.step(told, rows.outcome, when=ALL_FAILED)
    graph.map(square, rows, when=NONE_FAILED_MIN_ONE_SUCCEEDED)
    for given in (graph.step(give_dict), graph.step(give_fields), {"rows": 1}):
        graph.step(take_fields, given)
        graph.step(take_dict, given)
    graph.check()


def test_a_run_method_may_call_its_instance_anything() -> None:
    """The first parameter of a workflow's run method is its instance, whatever its name is."""
    graph = Graph()
    graph.step(Other.run, 1)
    graph.check()
    graph.step(Other.run)

    with pytest.raises(InvalidGraph) as refused:
        graph.check()
    assert refused.value.message == "Step 'Other-2' lacks 'rows': 0 arguments given, run takes 1"


def test_steps_are_named_by_their_functions() -> None:
    """A step has its function's name, its workflow's, or the one it was given; a second of a kind gets a number."""
    graph = Graph()
    graph.step(start)
    graph.step(start)
    graph.step(start, name="boot")
    graph.step(Audit.run, 1)

    assert [step.name for step in graph.steps] == ["start", "start-2", "boot", "Audit"]


def test_a_declared_graph_is_drawn() -> None:
    """Mermaid text shows steps, rules, branches, children and teardowns before anything has run."""
    graph = Graph()
    cluster = graph.step(start)
    rows = graph.step(extract, cluster)
    squares = graph.map(square, rows)
    route = graph.branch(lambda squares: "load", squares, name="route")
    loaded = graph.step(load, squares, after=route)
    graph.step(Audit.run, loaded)
    graph.step(told, squares.outcome, when=ALL_DONE)
    graph.step(drop, cluster, teardown_of=cluster)

    assert (
        graph.mermaid()
        == """\
flowchart TD
    s0["start"]
    s1["extract"]
    s2["square<br/>for each item"]
    s3{"route"}
    s4["load"]
    s5[["Audit"]]
    s6["told<br/>ALL_DONE"]
    s7["drop<br/>teardown of start"]
    s0 --> s1
    s1 --> s2
    s2 --> s3
    s2 --> s4
    s3 --> s4
    s4 --> s5
    s2 --> s6
    s6 -.-> s7
    s5 -.-> s7
"""
    )
