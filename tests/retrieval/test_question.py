"""Questions in plain words become expressions that SQLite takes, whatever stands in them."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.activities.retrieval._question import Question, words_of


@pytest.mark.parametrize(
    ("text", "words", "phrases"),
    [
        ("Who may assign the agreement?", ("assign", "agreement"), ()),
        ("What is it about?", ("what", "is", "it", "about"), ()),
        ("the tenant's duties", ("tenant", "duties"), ()),
        ("the tenants' duties", ("tenants", "duties"), ()),
        ('"change of control" clause', ("change", "control", "clause"), (("change", "of", "control"),)),
        ("non-compete under section 4.2", ("non", "compete", "section", "4", "2"), (("non", "compete"), ("4", "2"))),
        ("R&D at Crème Brûlée", ("r", "d", "crème", "brûlée"), (("r", "d"),)),
        ("____ ?!", (), ()),
    ],
)
def test_what_a_question_asks_for(text: str, words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> None:
    """Words that every question has are left out, unless there are no others; what is joined or quoted is a phrase."""
    question = Question.of(text)
    assert (question.words, question.phrases) == (words, phrases)


def test_the_expression() -> None:
    """Each word counts twice beside what was learned, neighbours count where they are near, and a phrase as itself."""
    assert Question.of('Is "force majeure" excused?').expression(["flood"], without={"excused"}) == (
        '"force" OR "majeure" OR "force" OR "majeure" OR NEAR("force" "majeure", 5) OR "force majeure" OR "flood"'
    )


def test_a_question_of_frequent_words_alone_keeps_them() -> None:
    """Leaving every word out would ask for nothing."""
    assert Question.of("party").expression(without={"party"}) == '"party" OR "party"'


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_is_asked_is_an_expression(text: str, other: str) -> None:
    """No text breaks out of its quotation marks: SQLite takes every question with a word in it."""
    question = Question.of(text)
    assert bool(question) == bool(words_of(text))
    if question:
        expression = question.expression(words_of(other))
        _full_text().execute("SELECT * FROM texts WHERE texts MATCH ?", (expression,)).fetchall()


def _full_text() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE texts USING fts5(body, tokenize = 'porter unicode61')")
    connection.execute("INSERT INTO texts VALUES ('a word or two')")
    return connection
