"""Passages: of a size that answers a question, covering what the document says itself."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.activities.documents import Clause, ParsedDocument, parse
from segue.activities.retrieval import Passage, passages

SENTENCE = "The tenant keeps the premises dry and clean at all times. "


def document(*clauses: tuple[str, dict[str, Any]]) -> ParsedDocument:
    text, made = "", list[Clause]()
    for content, fields in clauses:
        made.append(Clause.model_validate({"start": len(text), "end": len(text) + len(content)} | fields))
        text += content + "\n"
    return ParsedDocument(digest="0" * 64, name="a", media_type="text/plain", text=text, clauses=tuple(made))


def test_short_clauses_are_put_together_and_long_ones_taken_apart() -> None:
    """A passage is about as long as asked; a cut is at the end of a sentence."""
    parsed = document((SENTENCE.strip(), {}), (SENTENCE.strip(), {}), ((SENTENCE * 20).strip(), {}))
    found = passages(parsed, 200)

    assert [len(one.body) for one in found] == [57 * 2 + 1, *[57 * 3 + 2] * 6, 57 * 2 + 1]
    assert all(parsed.text[one.start : one.end].endswith("times.") for one in found)


def test_a_heading_goes_with_what_follows_it() -> None:
    """A heading ends the passage before it; its title, and those above, are the context of what stands below."""
    rent: dict[str, Any] = {"section": ("Money", "Rent")}
    parsed = document(
        ("1. Care", {"kind": "heading", "section": ("Care",)}),
        ("Keep it dry.", {"section": ("Care",)}),
        ("2. Money", {"kind": "heading", "section": ("Money",)}),
        ("2.1 Rent", {"kind": "heading", **rent}),
        ("It is due on the first.", rent),
    )
    assert passages(parsed) == [
        Passage(0, 20, "1. Care Keep it dry.", "Care"),
        Passage(21, 62, "2. Money 2.1 Rent It is due on the first.", "Money · Rent"),
    ]


def test_what_pages_repeat_is_not_found() -> None:
    """A page's footer within a passage is in its span and not among its words; contents are in no passage."""
    parsed = document(
        ("Rent ..... 7", {"kind": "contents"}),
        ("The rent is", {}),
        ("Page 7 of 9", {"kind": "furniture"}),
        ("due on the first.", {}),
    )
    assert passages(parsed) == [Passage(13, 54, "The rent is due on the first.")]


def test_speakers_are_kept_apart() -> None:
    """Who speaks is context, and nobody's words are put together with another's."""
    parsed = document(("Good morning.", {"speaker": "Ann"}), ("Thanks.", {"speaker": "Bo"}))
    assert passages(parsed) == [Passage(0, 13, "Good morning.", "Ann"), Passage(14, 21, "Thanks.", "Bo")]


def test_a_document_without_clauses_has_passages() -> None:
    """Whoever brings a text without any structure is served by its paragraphs."""
    parsed = ParsedDocument(digest="0" * 64, name="a", media_type="text/plain", text=" one\n\n two \n")
    assert passages(parsed) == [Passage(1, 10, "one two")]


@given(st.text("ab. \n;X", max_size=3000), st.integers(100, 300))
def test_every_clause_is_covered_and_none_twice(text: str, characters: int) -> None:
    """Whatever a document is made of, its passages stand in order, apart, not too long, and hold all its letters."""
    if not text.strip():
        return
    parsed = parse(text.encode(), "a.txt")
    found = passages(parsed, characters)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert all(one.end - one.start <= 2 * characters + 1 for one in found)
    own = [clause for clause in parsed.clauses if clause.kind not in ("furniture", "contents")]
    letters = "".join("".join(parsed.quote(clause).split()) for clause in own)
    assert "".join("".join(one.body.split()) for one in found) == letters
