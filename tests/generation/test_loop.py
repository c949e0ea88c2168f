"""The loop of a generation by itself, in every course that Hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from segue.activities.generation import Requirement, Score, ScoreSheet
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectRef
from segue.workflows.generation import Budget
from segue.workflows.generation.loop import Ask, Draft, End, Loop, Next
from segue.workflows.generation.result import Candidate

SECOND = timedelta(seconds=1)
REQUIREMENTS = [
    Requirement(name="must", description="must", mandatory=True, target=0.7),
    Requirement(name="should", description="should", weight=2),
]


def sheet(*scores: float) -> ScoreSheet:
    return ScoreSheet.of(
        REQUIREMENTS,
        [
            Score(requirement=one.name, score=score, met=score >= one.target, reason="", stage="judge", engine="j")
            for one, score in zip(REQUIREMENTS, scores, strict=True)
        ],
    )


def candidate(
    *scores: float, round: int = 1, number: int = 1, tokens: int = 10, cost: float = 0.0, failure: str | None = None
) -> Candidate:
    return Candidate(
        round=round,
        number=number,
        engine="m",
        output=None if failure else ObjectRef(url=f"drafts/{round}-{number}", size_bytes=1),
        sheet=sheet(*(scores or (0.0, 0.0))),
        usage=Usage(output_tokens=tokens, cost_usd=cost, calls=1),
        failure=failure,
        problem=f"{failure}!" if failure else "",
    )


scores = st.tuples(st.floats(0, 1), st.floats(0, 1))
failures = st.sampled_from(["Refused", "Truncated", "InvalidOutput", "ModelUnavailable", "OutOfTime"])
outcomes = st.one_of(
    st.builds(candidate, st.floats(0, 1), st.floats(0, 1), tokens=st.integers(0, 60), cost=st.floats(0, 0.2)),
    st.builds(candidate, tokens=st.integers(0, 60), failure=failures),
)
budgets = st.builds(
    Budget,
    attempts=st.integers(1, 12),
    tokens=st.none() | st.integers(1, 300),
    cost_usd=st.none() | st.floats(0.01, 1),
    wall_time=st.none() | st.integers(1, 30).map(lambda seconds: timedelta(seconds=seconds)),
)


@given(
    budget=budgets,
    levels=st.integers(1, 4),
    per_round=st.integers(1, 4),
    outcomes=st.lists(outcomes, min_size=40, max_size=40),
    paces=st.lists(st.integers(0, 5), min_size=40, max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_a_generation_keeps_the_best_and_ends_in_its_budget(
    budget: Budget, levels: int, per_round: int, outcomes: Sequence[Candidate], paces: Sequence[int]
) -> None:
    """No round begins beyond the budget, the best never gets worse, models only get stronger, and it ends."""
    loop = Loop(budget, levels=levels, candidates=per_round)
    elapsed, drawn, seen = timedelta(0), iter(outcomes), list[Draft]()
    pace = iter(paces)
    while isinstance(next_ := loop.next(elapsed), Draft):
        assert budget.reached(len(loop.candidates), loop.usage, elapsed) is None
        assert 1 <= next_.count <= min(per_round, budget.attempts - len(loop.candidates))
        assert next_.base is loop.best
        assert not seen or seen[-1].level <= next_.level <= seen[-1].level + 1
        assert next_.level < levels
        seen.append(next_)
        before = loop.best
        taken = [next(drawn) for _ in range(next_.count)]
        loop.take(taken)
        elapsed += next(pace) * SECOND
        if before is not None:
            assert loop.best is not None
            assert loop.best.sheet.rank >= before.sheet.rank
    assert isinstance(next_, End)
    drafts = [one for one in loop.candidates if one.output is not None]
    best = max((one.sheet.rank for one in drafts), default=None)
    assert (loop.best.sheet.rank if loop.best is not None else None) == best
    assert len(loop.candidates) <= budget.attempts
    assert loop.usage.tokens == sum(one.usage.tokens for one in loop.candidates)
    assert (next_.reason == "met") == (loop.best is not None and loop.best.sheet.met)
    assert isinstance(loop.next(elapsed + SECOND), End)


@given(levels=st.integers(1, 4), per_round=st.integers(1, 3), spare=st.integers(0, 6))
def test_each_model_has_its_turn(levels: int, per_round: int, spare: int) -> None:
    """With attempts for a round each, the strongest is asked before they run out, though the weakest gets better."""
    loop = Loop(Budget(attempts=levels * per_round + spare), levels=levels, candidates=per_round)
    asked: list[int] = []
    while isinstance(next_ := loop.next(timedelta(0)), Draft):
        asked.append(next_.level)
        loop.take([candidate(0.01 * len(asked), 0.01 * len(asked))] * next_.count)
    assert set(asked) == set(range(levels))
    assert asked == sorted(asked)


def course(loop: Loop, *rounds: list[Candidate]) -> list[Next]:
    found: list[Next] = []
    for taken in rounds:
        found.append(loop.next(timedelta(0)))
        loop.take(taken)
    return [*found, loop.next(timedelta(0))]


def test_a_round_that_brings_nothing_better_moves_on() -> None:
    """The best is mended, and the next model goes on where it got no better."""
    good, worse = candidate(0.6, 0.5), candidate(0.5, 0.5)
    assert course(Loop(Budget(attempts=9), levels=2), [good], [worse], [worse]) == [
        Draft(1, 0, 1, None),
        Draft(2, 0, 1, good),
        Draft(3, 1, 1, good),
        Draft(4, 1, 1, good),
    ]


def test_what_was_wrong_is_told_and_what_is_hopeless_moves_on() -> None:
    """An answer of the wrong form is asked for again, with what was wrong; a refusal goes to the next model at once."""
    invalid, refused = candidate(failure="InvalidOutput"), candidate(failure="Refused")
    assert course(Loop(Budget(attempts=9), levels=2), [invalid], [refused], [refused]) == [
        Draft(1, 0, 1, None),
        Draft(2, 1, 1, None, ("InvalidOutput!",)),
        End("models_failed"),
        End("models_failed"),
    ]


def test_an_unmet_mandatory_requirement_makes_the_total_0() -> None:
    """However good the rest is; and of two such drafts the one that comes nearer is kept."""
    near, far = candidate(0.69, 1.0), candidate(0.1, 1.0)
    assert (near.sheet.total, round(near.sheet.mean, 2), near.sheet.met) == (0.0, 0.9, False)
    loop = Loop(Budget(attempts=2), levels=1)
    course(loop, [near], [far])
    assert loop.best is near


def test_a_person_has_another_round_or_ends_it() -> None:
    """Who is asked when attempts are used up can grant one round, whose writer hears the comment."""
    draft = candidate(0.5, 0.5)
    loop = Loop(Budget(attempts=1), levels=1, asks=True)
    assert course(loop, [draft]) == [Draft(1, 0, 1, None), Ask("attempts")]
    loop.grant("name the day")
    assert course(loop, [draft]) == [Draft(2, 0, 1, draft, ("name the day",)), Ask("attempts")]
    loop.settle("accepted")
    assert loop.next(timedelta(0)) == End("accepted")


def test_what_an_answer_may_have() -> None:
    """What is left of the tokens is divided among the calls, and leaves a prompt its half of what the model takes."""
    model = Model(name="small", base_url="http://127.0.0.1:1/v1")
    small = model.model_copy(update={"context_tokens": 4096})
    budget, spent = Budget(tokens=9000), Usage(input_tokens=900, output_tokens=100)
    assert Budget().answer_tokens(spent, 1, small) is None
    assert budget.answer_tokens(spent, 2, model) == 4000
    assert budget.answer_tokens(spent, 2, small) == 2048
    assert Budget(tokens=1500).answer_tokens(spent, 2, small) == 250
    assert Budget(tokens=1).answer_tokens(spent, 2, small) == 1
