"""Research: what documents say on a question, sentence by sentence, each with the words that it stands on.

    from segue.activities import research

    Worker(client, task_queue="research", workflows=[DeepResearch], activities=research.ACTIVITIES)

These are the steps of `segue.workflows.research.DeepResearch`, and the checks that decide what may stand in a report.

Needs `pip install "segue[documents,retrieval]"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from segue.activities import documents, generation, retrieval
from segue.activities.research.asking import ask_notes, ask_plan, ask_words, judge_support
from segue.activities.research.evidence import Found, Lookup, Note, Passage, Question, Quote, Section, Sentence
from segue.activities.research.kept import UnknownDocument
from segue.activities.research.reporting import Report, Unread
from segue.activities.research.steps import (
    assign_section,
    compose,
    divide,
    gather,
    load_source,
    publish,
    query_of,
    register,
    rephrase,
    retrieve,
    system,
    take_notes,
    verify,
)

__all__ = [
    # what a worker needs
    "ACTIVITIES",
    "system",
    # searches of one's own
    "Lookup",
    "Found",
    "Passage",
    "query_of",
    # what a report holds
    "Report",
    "Section",
    "Sentence",
    "Quote",
    "Question",
    "Note",
    "Unread",
    # errors
    "UnknownDocument",
]

ACTIVITIES: Final[tuple[Callable[..., Any], ...]] = (
    documents.list_sources,
    load_source,
    register,
    retrieval.build_index,
    divide,
    ask_plan,
    retrieve,
    take_notes,
    ask_notes,
    rephrase,
    ask_words,
    gather,
    assign_section,
    verify,
    judge_support,
    compose,
    publish,
    *generation.ACTIVITIES,
)
"""What a worker needs that runs `DeepResearch`."""
