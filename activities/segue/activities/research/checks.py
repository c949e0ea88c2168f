"""What a section has to meet while it is written: every sentence cites, and every quote is verbatim.

The same checks that decide in the end what stands in the report, given to the writer as requirements, so that it can
mend what falls short in place of losing it.
"""

from __future__ import annotations

from typing import Any

import pydantic

from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.requirement import Requirement, Validator
from segue.activities.objects import ObjectRef
from segue.activities.research.drafts import DraftSection
from segue.activities.research.evidence import Note
from segue.activities.research.kept import kept, opened_notes
from segue.activities.research.support import JUDGED
from segue.activities.research.verifying import located, verified

__all__ = ["quotes_are_verbatim", "sentences_are_supported", "support_requirements"]


def support_requirements(notes: ObjectRef) -> tuple[Requirement, ...]:
    """Return the requirements of a section that is written from notes."""
    given = notes.model_dump(mode="json")
    return (
        Requirement(
            name="quotes",
            description="Each citation's quote is copied word for word from the quote of the note that it names.",
            target=1.0,
            validator=Validator.of(quotes_are_verbatim, stage="evidence", notes=given),
        ),
        Requirement(
            name="support",
            description="Each sentence cites at least one note, and claims no more than its quotes say: no figure, no "
            "name and no denial that is not in them.",
            target=1.0,
            validator=Validator.of(sentences_are_supported, stage="evidence", notes=given),
        ),
    )


async def quotes_are_verbatim(draft: Draft, notes: dict[str, Any]) -> Verdict:
    """Return the share of citations whose quotes stand in the notes that they name."""
    section = _section(draft)
    ref = ObjectRef.model_validate(notes)
    there = await kept(ref, list[Note])
    parsed = await opened_notes(there)
    cited = sum(len(one.citations) for one in section.sentences)
    if not cited:
        return Verdict(0 if section.sentences else 1, "cites nothing" if section.sentences else "is empty")
    by_number = {note.number: note for note in there}
    wrong: list[str] = []
    for number, sentence in enumerate(section.sentences, 1):
        for citation in sentence.citations:
            note = by_number.get(citation.note)
            if note is None or located(citation, note, lambda note: parsed[note.citation.document]) is None:
                wrong.append(str(number))
    if not wrong:
        return Verdict(1, f"all {cited} quotes are verbatim")
    numbers = ", ".join(dict.fromkeys(wrong))
    return Verdict(1 - len(wrong) / cited, f"{len(wrong)} of {cited} quotes are not in their notes: sentence {numbers}")


async def sentences_are_supported(draft: Draft, notes: dict[str, Any]) -> Verdict:
    """Return the share of sentences that their quotes support, as far as rules can tell."""
    section = _section(draft)
    there = await kept(ObjectRef.model_validate(notes), list[Note])
    parsed = await opened_notes(there)
    found = verified(section, there, lambda note: parsed[note.citation.document], "", JUDGED)
    wrong = [f"sentence {number}: {one.problem}" for number, one in enumerate(found, 1) if not one.supported]
    if not wrong:
        return Verdict(1, f"all {len(found)} sentences are supported" if found else "is empty")
    return Verdict(1 - len(wrong) / len(found), "; ".join(wrong[:5]))


def _section(draft: Draft) -> DraftSection:
    try:
        return DraftSection.model_validate(draft.value)
    except pydantic.ValidationError:
        raise ValueError("it is not of the form asked for") from None
