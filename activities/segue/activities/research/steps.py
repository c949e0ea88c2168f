"""The steps of research that need no model: documents made known, passages found, notes taken, claims checked, reports.

Every step takes and returns references, spans and counts; texts lie in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from segue.activities import documents, objects, retrieval
from segue.activities.documents import Document, LoadDocument
from segue.activities.errors import Terminal
from segue.activities.generation.brief import put, text_of
from segue.activities.heartbeat import progress
from segue.activities.objects import ObjectRef
from segue.activities.policy import Policy
from segue.activities.research.dividing import divided
from segue.activities.research.drafts import DraftSection, section_task
from segue.activities.research.evidence import Lookup, Note, Passage, Question, Quote, Section, Sentence
from segue.activities.research.extracting import covered, extracted
from segue.activities.research.kept import document_of, keep, keep_document, kept, opened_notes, opened_passages
from segue.activities.research.reporting import Report, answer_text, as_html, as_markdown
from segue.activities.research.requests import (
    Account,
    Compose,
    Composed,
    Divide,
    Gather,
    Noted,
    Planned,
    Publish,
    Published,
    Register,
    Rephrase,
    Rephrased,
    Retrieve,
    Retrieved,
    SectionTask,
    TakeNotes,
    Verified,
    Verify,
)
from segue.activities.research.terms import terms
from segue.activities.research.verifying import extractive, settled, verified
from segue.activities.retrieval import Search
from segue.activities.system import System

__all__ = [
    "assign_section",
    "checked",
    "compose",
    "divide",
    "gather",
    "lacking",
    "load_source",
    "noted",
    "noted_by_rules",
    "passages_of",
    "planned",
    "publish",
    "query_of",
    "question_of",
    "register",
    "rephrase",
    "rephrased",
    "retrieve",
    "system",
    "take_notes",
    "verify",
]

system = System("research", policy=Policy())
"""What research does by itself: on the queue of the workflow."""

_SHOWN: Final = 20
_DOUBTFUL_ABOVE: Final = 0.5


@documents.system.activity(name="segue.research.load")
async def load_source(request: LoadDocument) -> Document:
    """Load a document, and make it known by its digest."""
    document = await documents.load_document(request)
    await keep_document(request.store, document)
    return document


@system.activity(name="segue.research.register")
async def register(request: Register) -> int:
    """Make documents known that are loaded already, and return how many there are."""
    count = 0
    for document in request.documents:
        await keep_document(request.store, document)
        count += 1
    for ref in request.lists:
        for line in (await objects.read(ref)).splitlines():
            if not line.strip():
                continue
            await keep_document(request.store, _listed(line, ref))
            count += 1
            if count % 100 == 0:
                progress(count)
    return count


@system.activity(name="segue.research.divide")
async def divide(request: Divide) -> Planned:
    """Divide a question by rules."""
    question = request.question if isinstance(request.question, str) else await text_of(request.question)
    return await planned(divided(question, request.most), request.store)


@retrieval.system.activity(name="segue.research.retrieve")
async def retrieve(request: Retrieve) -> Retrieved:
    """Find passages for the latest query of a question."""
    question = await question_of(request.questions, request.number)
    search = Search(
        index=request.index,
        query=question.queries[-1],
        limit=request.limit,
        labels=request.labels,
        neighbours=request.neighbours,
    )
    hits = await retrieval.search(search)
    passages = [
        Passage(
            document=await document_of(request.store, hit.citation.document, hit.document),
            span=documents.Span(start=hit.context.start, end=hit.context.end),
            score=hit.score,
        )
        for hit in hits.hits
    ]
    ref = await keep(request.store, "passages", passages, list[Passage])
    return Retrieved(passages=ref, count=len(passages), engine=hits.engine)


@system.activity(name="segue.research.take_notes")
async def take_notes(request: TakeNotes) -> Noted:
    """Take notes by rules: the sentences that fit the question best, word for word."""
    question = await question_of(request.questions, request.number)
    return await noted_by_rules(request, question)


@system.activity(name="segue.research.rephrase")
async def rephrase(request: Rephrase) -> Rephrased:
    """Search for the words that no note has."""
    question = await question_of(request.questions, request.number)
    notes = await kept(request.notes, list[Note])
    return Rephrased(questions=await rephrased(request.questions, question, lacking(question, notes), request.store))


@system.activity(name="segue.research.gather")
async def gather(request: Gather) -> Noted:
    """Choose of all notes those that answer the whole question best."""
    question = await question_of(request.questions, 0)
    pools = [await kept(ref, list[Note]) for ref in request.notes]
    # Each part has its say: the best of each first, then the second of each.
    mixed = [pool[at] for at in range(max(map(len, pools), default=0)) for pool in pools if at < len(pool)]
    unique = list({(note.citation.document, note.citation.start): note for note in reversed(mixed)}.values())[::-1]
    chosen = [note.model_copy(update={"number": at}) for at, note in enumerate(unique[: request.limit], 1)]
    return await noted(chosen, question, request.store)


@system.activity(name="segue.research.assign_section")
async def assign_section(request: SectionTask) -> ObjectRef:
    """Write down what a writer is to do, and return the object."""
    question = await question_of(request.questions, request.number)
    notes = await kept(request.notes, list[Note])
    return await put(request.store, "tasks", section_task(question, notes, request.about), "txt")


@system.activity(name="segue.research.verify")
async def verify(request: Verify) -> Verified:
    """Look at a section sentence by sentence: what it cites, whether that is there, whether it is enough."""
    notes = await kept(request.notes, list[Note])
    parsed = await opened_notes(notes)
    draft = await kept(request.draft, DraftSection)
    sentences = verified(draft, notes, lambda note: parsed[note.citation.document], request.engine, request.share)
    return await checked(sentences, request.store)


@system.activity(name="segue.research.compose")
async def compose(request: Compose) -> Composed:
    """Put an answer together: sentences that are supported, else the notes themselves."""
    questions = await kept(request.questions, list[Question])
    sections: list[Section] = []
    for one in request.answered:
        question, notes = questions[one.number], await kept(one.notes, list[Note])
        written = await kept(one.sentences, list[Sentence]) if one.sentences is not None else []
        section = settled(question, written, request.unsupported, one.engine, judged=one.judged)
        if not any(sentence.supported for sentence in section.sentences):
            found = extractive(question, notes, request.sentences, "rules")
            section = found.model_copy(
                update={"removed": section.removed, "sentences": (*found.sentences, *section.sentences)}
            )
        there = (f"{quote.text} {quote.name}" for sentence in section.sentences for quote in sentence.quotes)
        lacks = [word.strip("?!.,;:\"'()") for word in _lacking(question, there).split()]
        judge = one.judge if section.judged else ""
        sections.append(section.model_copy(update={"judge": judge, "lacking": tuple(lacks)}))
    said = [sentence for section in sections for sentence in section.sentences]
    return Composed(
        sections=await keep(request.store, "sections", sections, list[Section]),
        text=await put(request.store, "answers", answer_text(sections), "md"),
        question=await put(request.store, "questions", questions[0].text, "txt"),
        sentences=len(said),
        quotes=len(_quotes(sections)),
        removed=sum(section.removed for section in sections),
        marked=sum(not sentence.supported for sentence in said),
        unanswered=sum(not section.sentences for section in sections),
        doubtful=len(_doubtful(sections)),
        engines=tuple(dict.fromkeys(sentence.engine for sentence in said)),
    )


@system.activity(name="segue.research.publish")
async def publish(request: Publish) -> Published:
    """Write a report in its three forms."""
    sections = await kept(request.composed.sections, list[Section])
    report = Report(
        question=await text_of(request.composed.question),
        sections=tuple(sections),
        quotes=tuple(_quotes(sections)),
        scores=request.scores,
        total=request.total,
        engines=request.engines,
        documents=request.documents,
        unread=request.unread,
        unanswered=tuple(section.question.text for section in sections if not section.sentences),
        doubtful=_doubtful(sections),
        removed=request.composed.removed,
        tokens=request.usage.tokens,
        cost_usd=request.usage.cost_usd,
        stopped=request.stopped,
        failures=request.failures,
    )
    return Published(
        markdown=await put(request.store, "reports", as_markdown(report), "md"),
        html=await put(request.store, "reports", as_html(report), "html"),
        json_report=await put(request.store, "reports", report.model_dump_json(indent=1), "json"),
    )


async def query_of(lookup: Lookup) -> str:
    """Return what a search of your own is to look for: the latest query of the question.

    For the code of activities.
    """
    return (await question_of(lookup.questions, lookup.number)).queries[-1]


async def question_of(questions: ObjectRef, number: int) -> Question:
    """Return one question of a plan."""
    return (await kept(questions, list[Question]))[number]


async def planned(
    questions: Sequence[Question],
    store: str,
    *,
    account: Account | None = None,
    engine: str = "rules",
    failure: str | None = None,
) -> Planned:
    """Return a plan, kept."""
    ref = await keep(store, "plans", list(questions), list[Question])
    return Planned(questions=ref, count=len(questions), account=account, engine=engine, failure=failure)


async def passages_of(request: TakeNotes) -> list[Passage]:
    """Return what was found for a question, from all searches, best first of each in turn."""
    pools = [await kept(ref, list[Passage]) for ref in request.passages]
    pools += [list(found.passages) for found in request.found]
    mixed = [pool[at] for at in range(max(map(len, pools), default=0)) for pool in pools if at < len(pool)]
    return list({(one.document.digest, one.span.start, one.span.end): one for one in reversed(mixed)}.values())[::-1]


async def noted_by_rules(request: TakeNotes, question: Question) -> Noted:
    """Return notes taken by rules, after those that there are."""
    earlier = await kept(request.earlier, list[Note]) if request.earlier is not None else []
    found = await opened_passages(await passages_of(request))
    there = {(note.citation.document, note.citation.start) for note in earlier}
    new = [
        note
        for note in extracted(f"{question.text} {question.queries[-1]}", found, request.limit + len(there))
        if (note.citation.document, note.citation.start) not in there
    ]
    notes = [*earlier, *new][: request.limit + len(earlier)]
    return await noted(
        [note.model_copy(update={"number": at}) for at, note in enumerate(notes, 1)], question, request.store
    )


async def noted(
    notes: Sequence[Note],
    question: Question,
    store: str,
    *,
    account: Account | None = None,
    engine: str = "rules",
    invented: int = 0,
    failure: str | None = None,
) -> Noted:
    """Return notes, kept."""
    return Noted(
        notes=await keep(store, "notes", list(notes), list[Note]),
        count=len(notes),
        covered=covered(question.text, notes),
        citations=tuple(note.citation for note in notes[:_SHOWN]),
        account=account,
        engine=engine,
        invented=invented,
        failure=failure,
    )


async def checked(
    sentences: Sequence[Sentence],
    store: str,
    *,
    account: Account | None = None,
    failure: str | None = None,
) -> Verified:
    """Return sentences that were looked at, kept."""
    supported = sum(one.supported for one in sentences)
    return Verified(
        sentences=await keep(store, "sentences", list(sentences), list[Sentence]),
        supported=supported,
        unsupported=len(sentences) - supported,
        account=account,
        failure=failure,
    )


async def rephrased(questions: ObjectRef, question: Question, query: str, store: str) -> ObjectRef | None:
    """Return the questions with what is to be searched next; None if that was searched before, or is nothing."""
    query = " ".join(query.split())
    if not terms(query) or query.lower() in {one.lower() for one in question.queries}:
        return None
    whole = await kept(questions, list[Question])
    whole[question.number] = question.model_copy(update={"queries": (*question.queries, query)})
    return await keep(store, "plans", whole, list[Question])


def lacking(question: Question, notes: Sequence[Note]) -> str:
    """Return the words of a question that its notes lack, as the question has them."""
    return _lacking(question, (note.quote for note in notes))


def _lacking(question: Question, texts: Iterable[str]) -> str:
    there = {term for text in texts for term in terms(text)}
    return " ".join(word for word in question.text.split() if set(terms(word)) - there)


def _doubtful(sections: Sequence[Section]) -> tuple[str, ...]:
    """Return the questions that extracts hardly answer: of what a model wrote, the judge was asked."""
    found: list[str] = []
    for section in sections:
        asked = [word for word in section.question.text.split() if terms(word)]
        extracted_only = bool(section.sentences) and section.engine == "rules"
        if extracted_only and len(section.lacking) > len(asked) * _DOUBTFUL_ABOVE:
            found.append(section.question.text)
    return tuple(found)


def _quotes(sections: Sequence[Section]) -> list[Quote]:
    found = (quote for section in sections for sentence in section.sentences for quote in sentence.quotes)
    return list(dict.fromkeys(found))


def _listed(line: bytes, ref: ObjectRef) -> Document:
    try:
        value = json.loads(line)
        return Document.model_validate(value.get("result", value))
    except (ValueError, AttributeError) as error:
        raise Terminal(f"Object {ref.url!r} is no list of documents: {type(error).__name__}") from None
