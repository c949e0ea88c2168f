"""The ready validators, and how validators travel: what each says of a draft, and what is refused."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from segue.activities.documents import ParsedDocument, parse
from segue.activities.generation import Draft, InvalidRequirement, Requirement, Validator, Verdict, validators
from segue.activities.generation.functions import NotFound, function
from segue.activities.generation.reasons import told
from segue.activities.generation.validators import patterns
from segue.activities.generation.validators.evidence import quotes_of
from segue.activities.support.prose import paragraphs, sentences, words


def look(validator: Validator, text: str, value: Any = None, *sources: ParsedDocument, task: str = "") -> Verdict:
    draft = Draft(text=text, value=value, task=task, sources=sources)
    verdict: Verdict = function(validator.path)(draft, **validator.arguments)
    return Verdict(round(verdict.score, 3), verdict.reason)


def source(text: str) -> ParsedDocument:
    return parse(text.encode(), "order.txt")


def test_length() -> None:
    """The score says how near a draft comes to its bounds; of several bounds the worst counts."""
    assert look(validators.length(words=(None, 3)), "one two three") == Verdict(1, "has 3 words")
    assert look(validators.length(words=(4, None)), "one two three") == Verdict(
        0.75, "has 3 words, 1 fewer than the 4 asked for"
    )
    assert look(
        validators.length(words=(1, 2), sentences=(2, 2), paragraphs=(1, 1)), "One two. Three. Four."
    ) == Verdict(0.5, "has 4 words, 2 more than the 2 allowed; has 3 sentences, 1 more than the 2 allowed")
    assert look(validators.length(characters=(None, 10)), "x" * 1000) == Verdict(
        0.01, "has 1,000 characters, 990 more than the 10 allowed"
    )


def test_phrases() -> None:
    """Phrases are found as whole words, whatever stands between their words; the score is the share that is there."""
    text = "The Fee is due. The fee\nis due again."
    assert look(validators.contains("fee is", "due"), text) == Verdict(1, "holds all of 'fee is', 'due'")
    assert look(validators.contains("fee is", "ue", "rent"), text) == Verdict(0.333, "does not hold 'ue', 'rent'")
    assert look(validators.contains("fee is due", times=4), text) == Verdict(0.5, "does not hold 'fee is due' 4 times")
    assert look(validators.contains("fee", ignore_case=False, times=2), text).score == 0.5
    assert look(validators.excludes("rent", "DUE"), text) == Verdict(0, "holds 'DUE'")
    assert look(validators.excludes("rent"), text) == Verdict(1, "holds none of 'rent'")
    assert look(validators.ends_with("due again."), f"**{text}**\n").score == 1
    assert look(validators.ends_with("due"), text) == Verdict(0, "does not end with 'due'")
    assert look(validators.matches(r"^The", at_least=2), "The a.\nThe b.").score == 1
    assert look(validators.matches(r"[A-Z]", at_most=1), "A B C") == Verdict(
        0.333, "matches '[A-Z]' 3 times, more than the 1 allowed"
    )


def test_an_expression_that_searches_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, in a process of its own, and refused, naming the expression; a text may hold anything."""
    monkeypatch.setattr(patterns, "LIMIT_SECONDS", 1.0)
    with pytest.raises(
        InvalidRequirement,
        match=re.escape(
            "matches('^(a+)+$') has not ended after 1 s on 41 characters: write it without a repetition inside of a "
            "repetition"
        ),
    ):
        look(validators.matches(r"^(a+)+$"), "a" * 40 + "!")
    assert look(validators.matches("\0|é|\udcff", at_least=3), "\0é\udcff").score == 1


class Line(BaseModel):
    amount: float


class Bill(BaseModel):
    total: float
    lines: list[Line]


def test_json_and_schemas() -> None:
    """JSON is read through a fence of Markdown; a schema's score is the share of fields without fault."""
    bill = '```json\n{"total": 5, "lines": [{"amount": 2}, {"amount": 3}]}\n```'
    assert look(validators.is_json(), bill) == Verdict(1, "is JSON")
    assert look(validators.is_json(), "{'total'").score == 0
    assert look(validators.conforms(Bill), bill) == Verdict(1, "conforms to Bill")
    wrong = look(validators.conforms(Bill), '{"total": "much", "lines": []}')
    assert wrong.score == 0.5
    assert wrong.reason.startswith("does not conform to Bill: ")
    assert look(validators.conforms(Bill), "no").score == 0


def test_sums_among_fields() -> None:
    """A field is the sum of others, at any depth; numbers may be texts with a currency."""
    bill: Any = {"total": "$5.30", "lines": [{"amount": 2.1}, {"amount": "3.20"}]}
    assert look(validators.sums_to("total", "lines.amount"), "", bill) == Verdict(
        1, "total is the sum of the 2 at lines.amount"
    )
    bill["lines"].append({"amount": 1})
    assert look(validators.sums_to("total", "lines.amount"), "", bill) == Verdict(
        0, "total is 5.30, and the 3 at lines.amount add up to 6.30"
    )
    assert look(validators.sums_to("sum", "lines.amount"), "", bill) == Verdict(0, "has no single number at 'sum'")
    assert look(validators.sums_to("total", "lines.price"), "", bill) == Verdict(
        0, "has not only numbers at 'lines.price'"
    )
    assert look(validators.sums_to("total", "lines.amount"), "") == Verdict(0, "is not JSON")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained.", Verdict(1, "calculates nothing")),
        ("2 + 3 = 5, and 7 - 2 = 5, so 2 × 3 = 6.", Verdict(1, "3 calculations are right")),
        ("$1,200.50 + $99.50 = $1,300.00", Verdict(1, "the calculation is right")),
        ("2 + 3 × 4 = 20", Verdict(0, "'2 + 3 × 4 = 20' is wrong: it makes 14")),
        ("10 / 3 = 3.33 and 10 / 3 ≈ 3", Verdict(1, "2 calculations are right")),
        ("100 - 30 - 20 = 40", Verdict(0, "'100 - 30 - 20 = 40' is wrong: it makes 50")),
        ("15% of 200 is 30. 5 percent of $80 is $5.", Verdict(0.5, "'5 percent of $80 is $5' is wrong: it makes 4")),
        ("1 / 0 = 7 says nothing", Verdict(1, "calculates nothing")),
        (
            "| Item | Cost | Share |\n|---|--:|---|\n| a | 10 | 40% |\n| b | 15 | 60% |\n"
            "| **Total** | **25** | **99%** |",
            Verdict(1, "the calculation is right"),
        ),
        (
            "| Item | Cost |\n|---|---|\n| a | 10 |\n| b | (15) |\n| Total | 25 |",
            Verdict(0, "the total of column 'Cost' is 25, and it adds up to -5"),
        ),
    ],
)
def test_arithmetic(text: str, expected: Verdict) -> None:
    """What a draft calculates is calculated again: equations, shares, and the totals of tables."""
    assert look(validators.arithmetic(), text) == expected


def test_quotes_stand_in_a_source() -> None:
    """Quotes of texts and of JSON are looked for word for word; what differs by a word is none."""
    order = source("The goods are delivered within ten days. The fee is due on receipt.")
    quotes = validators.quotes_in_sources()
    assert quotes.stage == "evidence"
    assert look(quotes, 'It says "delivered within ten days", and “the fee is due”.', None, order).score == 0.5
    assert look(quotes, 'It says "delivered within ten days".', None, order) == Verdict(1, "the quote is verbatim")
    assert look(quotes, "> The fee is due\n> on receipt.\n", None, order).score == 1
    assert look(quotes, 'It says "delivered within two days", and "the fee is paid".', None, order) == Verdict(
        0, "of 2 quotes, these stand in no source word for word: number 1, 2"
    )
    assert look(quotes, 'The "fee" is due.', None, order) == Verdict(
        0, "holds 0 quotes of the sources, and 1 asked for"
    )
    for invented in (
        'He wrote "delivered within ten days" and "the goods are\nalways late".',
        "He wrote 'delivered within ten days' and 'the goods are always late'.",
        "He wrote \u2018delivered within ten days\u2019 and \u2018the goods are always late\u2019.",
        "He wrote »delivered within ten days« and »the goods are always late«.",
        "He wrote 「delivered within ten days」 and 「the goods are always late」.",
        'A 5" pipe. He wrote "delivered within ten days" and "the goods are always late".',
        "He wrote “delivered within ten days” and “the goods are “always” late”.",
    ):
        assert look(quotes, invented, None, order).score == 0.5, invented
    assert look(quotes, "The buyers' order isn't late: 'delivered within ten days'.", None, order).score == 1
    assert quotes_of("He wrote “the goods are “always” late”.") == ["the goods are “always” late"]
    value = {"claims": [{"quote": "ten days"}, {"quotes": ["on receipt", "on demand"]}]}
    assert look(quotes, "{}", value, order).score == 0.667


def test_figures_stand_in_a_source() -> None:
    """A number of the draft stands in a source or in the task, however it is grouped."""
    order = source("It costs $1,200.50, due in 30 days.")
    assert look(validators.figures_in_sources(), "1200.5 in 30 days, 2 items", None, order, task="2 items").score == 1
    assert look(validators.figures_in_sources(), "$1,300 in 30 days", None, order) == Verdict(
        0.5, "in no source stands $1,300"
    )


@pytest.mark.parametrize(
    ("said", "source_text", "score"),
    [
        ("It fell by -12%.", "It rose by 12%.", 0),
        ("It is 12 basis points.", "It is 12%.", 0),
        ("It costs €1,200.50.", "It costs $1,200.50.", 0),
        ("It costs forty million dollars.", "It costs $4 million.", 0),
        ("It costs forty million dollars.", "It costs $40m.", 1),
        ("It is ½, in the 3rd year, for 7bn.", "It is 0.5, in the third year, for 7 billion.", 1),
        ("It is 1,200.51.", "It is 1,200.50.", 0),
        ("Revenue was $4.5 million.", "Revenue, in millions of dollars: 4.5", 1),
        ("Rent is EUR 1,850.", "All amounts in EUR. Rent 1,850.", 1),
        ("It grew 5x.", "It grew 3x.", 0),
    ],
)
def test_figures_are_told_with_their_sign_and_unit(said: str, source_text: str, score: float) -> None:
    """A sign, a unit, a currency and a scale make another figure; digits and words make none."""
    assert look(validators.figures_in_sources(), said, None, source(source_text)).score == score


def local(draft: Draft) -> bool:
    return True


class Checks:
    @staticmethod
    def static(draft: Draft) -> bool:
        return True

    def method(self, draft: Draft) -> bool:
        return True


def test_what_travels() -> None:
    """A function at the top of a module, or of a class, travels by its name."""
    module = __name__
    assert Requirement(name="a", description="b", validator=local).validator == Validator(path=f"{module}:local")
    assert Validator.of(Checks.static).path == f"{module}:Checks.static"
    assert function(f"{module}:Checks.static") is Checks.static
    assert Requirement.model_validate_json(
        Requirement(name="a", description="b", validator=local).model_dump_json()
    ).stage == ("code")


CARRIED = "A validator is carried to the worker by its name, and this one cannot be: "


def test_what_does_not_travel() -> None:
    """Lambdas, inner functions, methods of objects, partials and other objects are refused, each with what to do."""

    def inner(draft: Draft) -> bool:
        return True

    cases: list[tuple[Any, str]] = [
        (lambda draft: True, "it is a lambda, which has no name: define a function at the top of a module"),  # pyright: ignore[reportUnknownLambdaType]
        (
            inner,
            "'inner' is defined within 'test_what_does_not_travel', where no other process finds it: define it at the "
            "top of a module",
        ),
        (
            Checks().method,
            "'Checks.method' is a method of an object, and an object does not travel: give a function at the top of a "
            "module",
        ),
        (
            functools.partial(local),
            "it is a functools.partial, which has no name: give the function itself, and its arguments beside it",
        ),
        (Checks, f"{Checks!r} is not a function: give a function at the top of a module"),
    ]
    for given, problem in cases:
        with pytest.raises(InvalidRequirement) as refused:
            Validator.of(given)
        assert refused.value.message == CARRIED + problem
        with pytest.raises((InvalidRequirement, ValidationError), match="cannot be"):
            Requirement(name="a", description="b", validator=given)
    with pytest.raises(InvalidRequirement) as refused:
        Validator.of(local, limit=3)
    assert refused.value.message == (
        f"Validator '{__name__}:local' is called with a draft and ['limit'], which it does not take: got an unexpected "
        "keyword argument 'limit'"
    )


def test_what_is_not_there() -> None:
    """A name that this process does not have says what is missing where."""
    with pytest.raises(NotFound, match=f"'{__name__}:gone' is not there: module '{__name__}' of this worker has no"):
        function(f"{__name__}:gone")
    with pytest.raises(NotFound, match=r"'no\.such:thing' cannot be imported in this worker: No module named 'no'"):
        function("no.such:thing")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: validators.length(), "length() bounds nothing: give words, characters, sentences or paragraphs"),
        (lambda: validators.length(words=(5, 2)), "length(words=(5, 2)): no text is within these bounds"),
        (lambda: validators.contains(), "contains() needs phrases that are not empty"),
        (lambda: validators.excludes(" "), "excludes() needs phrases that are not empty"),
        (
            lambda: validators.matches("("),
            "matches('(') is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        (lambda: validators.sums_to("", "a"), "sums_to() needs the path of a total and the path of its parts"),
    ],
)
def test_what_cannot_be_asked(make: Any, message: str) -> None:
    """A validator that could never pass, or never fail, is refused when it is made."""
    with pytest.raises(InvalidRequirement) as refused:
        make()
    assert refused.value.message == message


def test_prose() -> None:
    """Sentences end where a reader would say so: not at abbreviations, initials, numbers, or a list's own numbers."""
    text = (
        "# Fees\nDr. J. Roe of Acme Inc. paid $1,200.50 (approx. 5 %). Why? Because it was due!\n\n"
        "1. First item\n2. Second item, e.g. this one.\n- A bullet\nstill the bullet"
    )
    assert [text[start:end] for start, end in sentences(text)] == [
        "# Fees",
        "Dr. J. Roe of Acme Inc. paid $1,200.50 (approx. 5 %).",
        "Why?",
        "Because it was due!",
        "1. First item",
        "2. Second item, e.g. this one.",
        "- A bullet\nstill the bullet",
    ]
    text = "One.\n\nTwo\nlines.\n \n\nThree."
    assert [text[start:end] for start, end in paragraphs(text)] == ["One.", "Two\nlines.", "Three."]
    assert words("It's well-known: 1,200.50 €") == ["It's", "well-known", "1", "200.50"]


def test_reasons_repeat_no_text() -> None:
    """A reason is one line, is cut, and keeps at most five words in a row of a text."""
    body = "The fee of the second year is due on the first day of each month."
    assert told("says\nthe fee of the second year is due, wrongly", body) == "says […], wrongly"
    assert told("says the fee of the second, wrongly", body) == "says the fee of the second, wrongly"
    assert told("x" * 400) == "x" * 299 + "…"
