"""A model's section held against the documents: what stands in the report is what this lets through.

Each quote of a sentence is looked for word for word in the passage that the cited note is from. A quote that is not
there counts for nothing; a sentence without a quote, or that says more than its quotes, is removed or marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from segue.activities import documents
from segue.activities.documents import Citation, ParsedDocument, Span
from segue.activities.research.drafts import DraftCitation, DraftSection
from segue.activities.research.evidence import Note, Question, Quote, Section, Sentence, Unsupported
from segue.activities.research.extracting import page_of
from segue.activities.research.support import UNJUDGED
from segue.activities.support import Evidence, problem, quoted
from segue.activities.support.prose import sentences

__all__ = ["extractive", "located", "quote_of", "settled", "verified"]

Parsed = Callable[[Note], ParsedDocument]

# How far around a note's own words a quote may stand: writers complete a sentence that the note has cut.
_AROUND: Final = 400


def verified(draft: DraftSection, notes: Sequence[Note], parsed: Parsed, engine: str, share: float) -> list[Sentence]:
    """Return the sentences of a section, each with those of its quotes that stand in the documents.

    Args:
        draft: What a model wrote.
        notes: The notes that it was given.
        parsed: Returns the document of a note.
        engine: Which model.
        share: From `UNJUDGED` on nobody else looks, and a sentence has to be nearly its quote.
    """
    by_number = {note.number: note for note in notes}
    found: list[Sentence] = []
    for one in draft.sentences:
        quotes: list[Quote] = []
        cited: list[Evidence] = []
        invented = 0
        for citation in one.citations:
            note = by_number.get(citation.note)
            quote = located(citation, note, parsed) if note is not None else None
            if quote is None:
                invented += 1
            elif quote not in quotes and note is not None:
                quotes.append(quote)
                place = quote.citation
                cited.append(quoted(parsed(note).text, place.start, place.end, source=place.document))
        whole = " ".join(one.text.split())
        # A writer may hide a second sentence behind the first one's quotes: each has to stand on them by itself.
        for start, end in sentences(whole):
            text = whole[start:end]
            why = problem(text, cited, judged=share < UNJUDGED)
            if why and invented:
                why = f"{invented} of its {len(one.citations)} quotes stand in no source, and {why}"
            found.append(Sentence(text=text, quotes=tuple(quotes), supported=not why, problem=why, engine=engine))
    return found


def settled(
    question: Question, looked: Sequence[Sentence], unsupported: Unsupported, engine: str, *, judged: bool
) -> Section:
    """Return a section with what nothing supports removed or marked."""
    kept = [one for one in looked if one.supported or unsupported == "mark"]
    return Section(
        question=question,
        sentences=tuple(kept),
        removed=len(looked) - len(kept),
        engine=engine,
        judged=judged,
    )


def extractive(question: Question, notes: Sequence[Note], limit: int, engine: str) -> Section:
    """Return a section of the best notes themselves, word for word, in the order of their documents."""
    best = sorted(notes, key=lambda note: -note.score)[:limit]
    return Section(
        question=question,
        sentences=tuple(
            Sentence(text=" ".join(note.quote.split()), quotes=(quote_of(note),), engine=engine) for note in best
        ),
        engine=engine,
    )


def quote_of(note: Note) -> Quote:
    """Return the words of a note, as a sentence cites them."""
    return Quote(text=note.quote, citation=note.citation, name=note.name, page=note.page, source=note.source)


def located(citation: DraftCitation, note: Note, parsed: Parsed) -> Quote | None:
    """Return a quote with where it stands, in or around the note that it cites; None if it does not."""
    document = parsed(note)
    around = Span(start=max(note.citation.start - _AROUND, 0), end=min(note.citation.end + _AROUND, len(document.text)))
    span = documents.locate(citation.quote, document, note.citation) or documents.locate(
        citation.quote, document, around
    )
    if span is None:
        return None
    return Quote(
        text=document.quote(span),
        citation=Citation(document=document.digest, start=span.start, end=span.end),
        name=note.name,
        page=page_of(document, span.start),
        source=note.source,
    )
