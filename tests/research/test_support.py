"""What research is made of, by itself: sentences out of passages, what supports a sentence, reports that escape."""

from __future__ import annotations

import pytest

from segue.activities.documents import Citation, Document, ParsedDocument, Span, parse
from segue.activities.generation import Score
from segue.activities.objects import ObjectRef
from segue.activities.research import Note, Passage, Quote, Report, Section, Sentence, Unread
from segue.activities.research.dividing import divided
from segue.activities.research.drafts import DraftCitation, DraftSection, DraftSentence
from segue.activities.research.evidence import Question
from segue.activities.research.extracting import covered, extracted, missing, note_of
from segue.activities.research.reporting import as_html, as_markdown
from segue.activities.research.support import JUDGED
from segue.activities.research.terms import terms
from segue.activities.research.verifying import verified
from segue.activities.support import problem

TEXT = (
    "1. Fees. The Client shall pay a fee of EUR 1,200 within thirty days of the invoice.\n\n"
    "2. Liability. The Supplier shall not be liable for loss of profit. Acme Ltd is liable for damage to them.\n\n"
    "3. Term. This agreement ends on 31 December 2027.\n"
)
PARSED: ParsedDocument = parse(TEXT.encode(), "deal.txt")
REF = ObjectRef(url="parsed/deal.json", size_bytes=1)
DOCUMENT = Document(
    digest=PARSED.digest,
    name="deal.txt",
    media_type="text/plain",
    source=ObjectRef(url="deals/deal.txt", size_bytes=len(TEXT)),
    parsed=REF,
    characters=len(PARSED.text),
)
WHOLE = Passage(document=DOCUMENT, span=Span(start=0, end=len(PARSED.text)), score=1.0)


def note(words: str, number: int = 1) -> Note:
    start = PARSED.text.index(words)
    return note_of(number, WHOLE, PARSED, Span(start=start, end=start + len(words)))


DENIED = "it leaves out that its quotes deny it"
MORE = "it says more than its quotes"


@pytest.mark.parametrize(
    ("sentence", "quotes", "expected"),
    [
        ("The Client shall pay EUR 1,200.", ["The Client shall pay a fee of EUR 1,200"], ""),
        ("The fee of the Client is 1200 EUR.", ["The Client shall pay a fee of EUR 1,200"], ""),
        ("Payment is due in 30 days.", ["payment within thirty days"], ""),
        ("The Client pays.", [], "it cites nothing"),
        ("The Client pays EUR 1,300.", ["The Client shall pay a fee of EUR 1,200"], "its quotes do not say EUR 1,300"),
        ("It ends in 2028.", ["This agreement ends on 31 December 2027"], "its quotes do not say 2028"),
        ("The fee is due from Beta Corp.", ["the fee is due from Acme Corp"], "its quotes do not name Beta Corp"),
        ("The Supplier is not liable.", ["The Supplier is liable"], "it denies what its quotes do not"),
        ("The Supplier is liable.", ["The Supplier is not liable"], DENIED),
        ("The Supplier refuses to be liable.", ["The Supplier shall not be liable"], ""),
        ("Pets may come without consent.", ["no pets may come without consent"], DENIED),
        ("The Client pays a fee, which grows every hot summer.", ["The Client pays a fee"], MORE),
        ("And so it is.", ["The Client pays a fee"], "it says nothing"),
    ],
)  # fmt: skip
def test_what_supports_a_sentence(sentence: str, quotes: list[str], expected: str) -> None:
    """Figures, names, denials and most words of a sentence are in its quotes, or it is not supported."""
    assert problem(sentence, quotes, judged=True) == expected


def test_who_is_not_judged_has_to_be_nearly_its_quote() -> None:
    """A paraphrase passes the rules where a judge looks at it too, and not where none does."""
    sentence, quotes = (
        "A client owes and settles the fee within 30 days.",
        ["The Client shall pay a fee within thirty days"],
    )
    assert problem(sentence, quotes, judged=True) == ""
    assert problem(sentence, quotes) == "it says more than its quotes"


def section(*sentences: tuple[str, list[tuple[int, str]]]) -> DraftSection:
    return DraftSection(
        sentences=[
            DraftSentence(text=text, citations=[DraftCitation(note=number, quote=quote) for number, quote in cited])
            for text, cited in sentences
        ]
    )


def test_a_quote_that_is_cut_does_not_turn_what_it_says() -> None:
    """A denial before the quote counts, and one of another part of the sentence does not."""
    notes = [note("The Supplier shall not be liable for loss of profit."), note("The Client shall pay a fee", 2)]
    draft = section(
        ("The Supplier is liable for loss of profit.", [(1, "liable for loss of profit")]),
        (
            "The Supplier is not liable for loss of profit.",
            [(1, "The Supplier shall not be liable for loss of profit")],
        ),
        ("The Client shall pay a fee.", [(2, "The Client shall pay a fee")]),
        ("The Client shall pay a fee.", [(2, "The Client must pay a fee"), (7, "a fee")]),
        ("A fee is paid within thirty days. It doubles later.", [(2, "a fee of EUR 1,200 within thirty days")]),
    )
    found = verified(draft, notes, lambda _: PARSED, "m", JUDGED)
    assert [(one.supported, one.problem, [quote.text for quote in one.quotes]) for one in found] == [
        (False, "its quotes do not name Supplier", ["liable for loss of profit"]),
        (True, "", ["The Supplier shall not be liable for loss of profit"]),
        (True, "", ["The Client shall pay a fee"]),
        (False, "2 of its 2 quotes stand in no source, and it cites nothing", []),
        (True, "", ["a fee of EUR 1,200 within thirty days"]),
        (False, "its quotes do not say doubles", ["a fee of EUR 1,200 within thirty days"]),
    ]
    assert all(PARSED.quote(quote.citation) == quote.text for one in found for quote in one.quotes)


def test_sentences_are_extracted_whole() -> None:
    """The best sentence comes first, verbatim and with its span; a heading is no sentence."""
    notes = extracted("Is the Supplier liable for loss of profit?", [(WHOLE, PARSED)], 5)
    assert notes[0].quote == "The Supplier shall not be liable for loss of profit."
    assert all(PARSED.quote(one.citation) == one.quote for one in notes)
    assert extracted("Is the Supplier liable?", [(WHOLE, PARSED)], 1)[0].number == 1
    assert extracted("zebra", [(WHOLE, PARSED)], 5) == []
    assert extracted("fee", [], 5) == []


def test_coverage() -> None:
    """What no note has is told by its stem; coverage is the share that notes have."""
    notes = [note("The Client shall pay a fee of EUR 1,200 within thirty days of the invoice.")]
    assert missing("When are fees paid, and by bank transfer?", notes) == ["bank", "transf"]
    assert covered("fees of clients", notes) == 1
    assert covered("fees by bank transfer", notes) == pytest.approx(1 / 3)
    assert covered("fees", []) == 0


def test_terms() -> None:
    """Words that mean the same are the same, numbers as words too; small words do not count."""
    assert terms("Either party may terminate upon thirty days' written notice.") == terms(
        "party terminates 30 day wrote noticed"
    )
    assert terms("Gebühren für Zürich, 1,200.50") == ["gebuhren", "fur", "zurich", "1200.5"]


def test_a_question_of_several() -> None:
    """What is written as several questions is several; what is not, stands for itself."""
    assert [one.text for one in divided("When does it end? Who may terminate it?", 5)] == [
        "When does it end? Who may terminate it?",
        "When does it end?",
        "Who may terminate it?",
    ]
    assert len(divided("When does the agreement end?", 5)) == 1
    assert [one.text for one in divided("Compare:\n1. the rent due\n2. the deposit due\n3. the pets allowed", 2)][
        1:
    ] == [
        "the rent due",
        "the deposit due",
    ]


def report() -> Report:
    quote = Quote(
        text="<b>x</b> | [y](z)",
        citation=Citation(document=PARSED.digest, start=3, end=20),
        name="deal<1>.txt",
        page=2,
        source="deals/deal.txt",
    )
    sentences = (
        Sentence(text="It is <b>x</b> | [y](z).", quotes=(quote,), engine="m"),
        Sentence(text="Made up.", quotes=(), supported=False, problem='it "cites" nothing', engine="m"),
    )
    question = Question(number=0, text="What <i>is</i> it?")
    return Report(
        question=question.text,
        sections=(
            Section(question=question, sentences=sentences, engine="m"),
            Section(question=Question(number=1, text="And why?"), engine="rules"),
        ),
        quotes=(quote,),
        scores=(Score(requirement="r|1", score=0.5, met=False, reason="<b>", stage="judge", engine="j"),),
        total=0.5,
        engines=("bm25", "m"),
        documents=1,
        unread=(Unread(name="a.pdf", problem="PasswordProtected: it is"),),
        unanswered=("And why?",),
        removed=2,
        tokens=1234,
        cost_usd=0.5,
    )


def test_markdown() -> None:
    """Each claim leads to its quote, and nothing of a document is taken for markup."""
    assert as_markdown(report()) == (
        "# What &lt;i&gt;is&lt;/i&gt; it?\n\n"
        "*1 document searched. Made by bm25, m; 1,234 tokens, $0.5000.*\n\n"
        "## Answer\n\n"
        "*Written by m; no model judged it, only rules, which are stricter then.*\n\n"
        "- It is &lt;b&gt;x&lt;/b&gt; \\| \\[y\\](z). [[1]](#quote-1)\n"
        "- ⚠ **unsupported:** ~~Made up.~~\n\n"
        "## And why?\n\n"
        "The documents do not answer this.\n\n\n"
        "*2 sentences were removed: nothing in the documents supports them.*\n\n"
        "*Nothing was found on: And why?*\n\n"
        "*Could not be read: a.pdf (PasswordProtected: it is)*\n\n"
        "## Requirements\n\n"
        "| Requirement | Score | Reason | By |\n|---|---|---|---|\n| r\\|1 | 0.50 | &lt;b&gt; | j |\n\nTotal: 0.50\n\n"
        "## Quotes\n\n"
        '1. <a id="quote-1"></a>“&lt;b&gt;x&lt;/b&gt; \\| \\[y\\](z)” deal&lt;1&gt;.txt, page 2, characters 3 to 20\n'
    )


def test_html() -> None:
    """Each claim leads to its quote, which says where it stands; what a document holds is no markup."""
    page = as_html(report())
    assert "<b>x" not in page
    assert "<i>is" not in page
    assert '<li>It is &lt;b&gt;x&lt;/b&gt; | [y](z).<sup><a href="#quote-1">[1]</a></sup></li>' in page
    assert '<mark title="it &quot;cites&quot; nothing"><s>Made up.</s> (unsupported)</mark>' in page
    assert (
        f'<li id="quote-1" data-document="{PARSED.digest}" data-start="3" data-end="20"><blockquote>&lt;b&gt;x' in page
    )
    assert "deal&lt;1&gt;.txt, page 2, characters 3 to 20" in page
