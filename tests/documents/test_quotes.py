"""Quotes: found wherever the document has them, under the differences that are let pass, and under no others."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from segue.activities.documents import ParsedDocument, Span, locate, locations

LETTERS = "abAB.,;:()12\"'“”\u2019ﬁﬂ é"
WORDS = st.text(alphabet=LETTERS + "fil", min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "\n", "  \t", "\u00a0", " - ", "\n\n"])
GAPS = st.sampled_from(
    [" ", " ", " ", "\n", "  \t", "\u00a0", "-", " - ", "—", "-\n", "\u00ad", "\u00ad\n", "\u200b", "\n\n"]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Text of words with all kinds of gaps between."""
    words = draw(st.lists(WORDS, min_size=1, max_size=12))
    return "".join(word + draw(GAPS) for word in words)


@st.composite
def parts(draw: st.DrawFn) -> tuple[str, int, int]:
    """Text, and where a part of it begins and ends that does not cut through a word."""
    words = draw(st.lists(WORDS, min_size=1, max_size=12))
    first = draw(st.integers(0, len(words) - 1))
    last = draw(st.integers(first, len(words) - 1))
    text, start, end = "", 0, 0
    for index, word in enumerate(words):
        if index == first:
            start = len(text)
        text += word
        if index == last:
            end = len(text)
        text += draw(SPACES if index in (first - 1, last) else GAPS)
    return text, start, end


def document(text: str) -> ParsedDocument:
    return ParsedDocument(digest="0" * 64, name="a.txt", media_type="text/plain", text=text)


def found(quote: str, text: str, within: Span | None = None) -> str | None:
    parsed = document(text)
    span = locate(quote, parsed, within)
    return None if span is None else parsed.quote(span)


def loose(text: str) -> str:
    """What no permitted difference changes: the characters, without space, dashes and marks, in one shape."""
    text = re.sub(r"[\s\u00ad\u200b\u200c\u200d\u2060\ufeff—\u2013-]+", "", text)
    for shapes, plain in (("“”„", '"'), ("\u2018\u2019\u201a", "'"), ("ﬁ", "fi"), ("ﬂ", "fl")):
        for shape in shapes:
            text = text.replace(shape, plain)
    return text


@pytest.mark.parametrize(
    ("quote", "text", "expected"),
    [
        ("the Term is one year", "So the Term is\n  one  year.", "the Term is\n  one  year"),
        ("  one year ", "one year", "one year"),
        ('the "Term"', "the “Term” means", "the “Term”"),
        ("the Keeper\u2019s log", "the Keeper's log", "the Keeper's log"),
        ("confidential", "a con\ufb01dential file", "con\ufb01dential"),
        ("con\ufb01dential", "a confidential file", "confidential"),
        ("2020\u20132021", "in 2020-2021 or", "2020-2021"),
        ("lamp -- lit", "lamp — lit", "lamp — lit"),
        ("agreement", "this agree-\nment ends", "agree-\nment"),
        ("agree-ment", "this agree-\nment ends", "agree-\nment"),
        ("agree- ment", "this agree-\nment ends", "agree-\nment"),
        ("agreement", "this agree- ment ends", "agree- ment"),
        ("agreement", "this agree\u00adment ends", "agree\u00adment"),
        ("agreement", "this agree\u00ad\nment ends", "agree\u00ad\nment"),
        ("this agree-\nment ends", "this agreement ends", "this agreement ends"),
        ("non-exclusive", "a non-\nexclusive right", "non-\nexclusive"),
        ("zero\u200bwidth", "zerowidth", "zerowidth"),
        ("- item", "one\n- item", "- item"),
        ("pay-", "you pay-\nnow", "pay-"),
        ("year", "two years, one year", "year"),
        ("Section 2", "in Section 2.", "Section 2"),
        ("12", "on 12/31", "12"),
        ("2021", "in 2020-2021", "2021"),
        ("契約", "本契約は有効である", "契約"),
    ],
)
def test_a_quote_is_found_in_other_dress(quote: str, text: str, expected: str) -> None:
    """White space, quotation marks, dashes, ligatures, invisible marks and hyphenation are let pass."""
    assert found(quote, text) == expected


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("", "anything"),
        (" \n ", "anything"),
        ("--", "a -- b"),
        ("nowhere", "now here"),
        ("now here", "nowhere"),
        ("nonexclusive", "a non-exclusive right"),
        ("non-exclusive", "a nonexclusive right"),
        ("preand post", "pre- and Post"),
        ("one Year", "one year"),
        ("one year.", "one year,"),
        ("thirty (30) days", "thirty 30 days"),
        ("1012", "10-12"),
        ("1012", "10-\n12"),
        ('"Term"', "'Term'"),
        ("pay now", "pay not now"),
        ("resume", "résumé"),
        ("30 days", "130 days"),
        ("30 day", "30 days"),
        ("200 a month", "1,200 a month"),
        ("USD 1", "USD 1.50"),
        ("Section 2", "Section 2.1"),
        ("exclusive", "a non-exclusive right"),
        ("exclusive", "a non-\nexclusive right"),
        ("a non", "a non-exclusive right"),
        ("of", "of\ufb01ce"),
        ("trol", "con\u00adtrol"),
    ],
)
def test_nothing_else_is_let_pass(quote: str, text: str) -> None:
    """Words, letters, case, digits and punctuation are the document's own."""
    assert found(quote, text) is None


def test_parts_of_words_if_asked_for() -> None:
    """Text that lost a space between two words has what is glued to another word too."""
    assert locate("1 August 2019", document("as of1 August 2019"), whole_words=False) == Span(start=5, end=18)
    assert locate("of f", document("of \ufb01sh"), whole_words=False) == Span(start=0, end=4)


def test_within_a_part_only() -> None:
    """A part of the document bounds the search, to the character."""
    text = "lamp, lamp, lamp"
    assert locate("lamp", document(text), Span(start=1, end=16)) == Span(start=6, end=10)
    assert locate("lamp", document(text), Span(start=6, end=10)) == Span(start=6, end=10)
    assert locate("lamp", document(text), Span(start=7, end=15)) is None
    assert list(locations("lamp", document(text))) == [
        Span(start=0, end=4),
        Span(start=6, end=10),
        Span(start=12, end=16),
    ]


@given(parts())
@settings(max_examples=500, deadline=None)
@example(("a-\nb", 0, 4))
@example(("a \u00adb ", 2, 4))
def test_every_part_of_a_document_is_found_in_it(part: tuple[str, int, int]) -> None:
    """Whatever is cut out of a document between its words is found, there or where the same stands before."""
    text, start, end = part
    quote = text[start:end]
    assume(loose(quote))
    span = locate(quote, document(text))
    assert span is not None
    assert span.start <= start + len(quote) - len(re.sub(r"^[\s\u00ad\u200b]+", "", quote))
    assert loose(quote) in loose(text[span.start : span.end])


@given(texts(), texts())
@settings(max_examples=400, deadline=None)
def test_what_is_found_has_the_characters_of_the_quote(text: str, quote: str) -> None:
    """A span that is found says what the quote says; what has other characters is not found."""
    span = locate(quote, document(text))
    if span is not None:
        assert loose(quote) in loose(text[span.start : span.end])
        assert text[span.start : span.end].strip() == text[span.start : span.end]


@given(parts(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_quote_in_other_dress_is_found(part: tuple[str, int, int], data: st.DataObject) -> None:
    """Other white space, quotation marks and ligatures never keep a quote from being found."""
    text, start, end = part
    quote = text[start:end]
    assume(loose(quote))
    dressed = re.sub(r"\s+", lambda _: data.draw(st.sampled_from([" ", "  ", "\u2003"])), quote)
    for old, new in (("“", '"'), ("”", '"'), ("\u2019", "'"), ("ﬁ", "fi"), ("\u200b", ""), ("—", "\u2013")):
        if data.draw(st.booleans()):
            dressed = dressed.replace(old, new)
    assert locate(dressed, document(text)) is not None


@given(texts(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_letter_is_noticed(text: str, data: st.DataObject) -> None:
    """A quote with one letter more is not found, unless the document has it elsewhere."""
    assume(loose(text))
    position = data.draw(st.integers(0, len(text)))
    assert locate(text[:position] + "Z" + text[position:], document(text)) is None


def test_many_quotes_of_a_long_document_are_found_in_little_time() -> None:
    """A thousand quotes of a document of a million characters take seconds at most."""
    text = " ".join(f"Keeper {number} keeps lamp {number * 31 % 9973} of the coast\nlit." for number in range(25_000))
    parsed = document(text)
    assert len(text) > 1_000_000
    for number in range(0, 25_000, 25):
        span = locate(f"Keeper {number} keeps lamp {number * 31 % 9973} of the coast lit.", parsed)
        assert span is not None
    assert locate("Keeper 25000 keeps", parsed) is None
