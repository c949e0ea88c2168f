"""Recorded histories of what models and documents take part in: none holds a body, a prompt, an answer, or a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.analysis.calls import CALL
from tests.analysis.versions import AFTER, BEFORE
from tests.claims.histories import held, phrases
from tests.documents.record import SOURCES
from tests.generation.test_generate import GOOD, LATE
from tests.recorded import HISTORIES, recorded
from tests.research.leases import HARBOUR, LETTER, MILL, ORCHARD, QUESTION

from segue.activities.research.drafts import judging, noting, planning, rephrasing

PROMPTS = [
    str(asked.content) for made in (planning("", 1), noting("", ()), rephrasing("", ()), judging(())) for asked in made
]
LEASES = [HARBOUR, MILL, ORCHARD, LETTER]
BODIES: dict[str, list[str]] = {
    "agent": ["parcels arrive within ten days.", "This is not for the model.", "Refunded.", "Found."],
    "compare_documents": [BEFORE, AFTER, "The price rises."],
    "documents": [data.decode(errors="replace") for data in SOURCES.values()],
    "extraction": [(Path(__file__).parents[1] / "extraction" / "leases.py").read_text().split('f"""')[1]],
    "generation": [GOOD, LATE, "A plan."],
    "llm": ["It rains.", "All of it.", "There is"],
    "research": [*LEASES, *PROMPTS],
    "retrieval": ["transfer or assign any of its rights"],
    "summarise_document": [CALL, "Revenue increased."],
}
"""What the recorded runs read, asked and were answered, by the beginning of their histories' names."""

CHOSEN: dict[str, list[str]] = {
    # The question is given as text, which is in the history as every argument is.
    "research": [QUESTION, "What is the rent?"],
    # The draft is wanted inline.
    "generation_planned": [GOOD],
    # What a person answers is a decision, which is in the history; so are the form's own words.
    "extraction_people": ["a monthly rent of $12,500.00"],
}
KEYS = re.compile(r"sk-\w|canary|\bBearer\b", re.IGNORECASE)


@pytest.mark.parametrize("kind", BODIES)
def test_no_text_and_no_key_is_recorded(kind: str) -> None:
    """No four words in a row of a body, a prompt or an answer stand in a history, unless inline was chosen."""
    histories = recorded(kind)
    assert histories
    for history in histories:
        said = held(history.events)
        assert len(said) > 1000
        assert KEYS.search(said) is None
        for name, texts in CHOSEN.items():
            for text in texts if history.workflow_id.startswith(name) else ():
                said = said.replace(text, "")
        for body in BODIES[kind]:
            assert sorted(one for one in phrases(body, min(4, len(body.split()))) if one in said) == []


def test_every_recorded_history_of_models_is_looked_at() -> None:
    """A workflow whose histories are added is added to the scan."""
    ours = ("agent", "compare", "documents", "extraction", "generation", "llm", "research", "retrieval", "summarise")
    recorded_ = {path.stem for path in HISTORIES.glob("*.json") if path.stem.startswith(ours)}
    assert {name for name in recorded_ if not name.startswith(tuple(BODIES))} == set()


def test_the_scan_sees_what_is_chosen_inline() -> None:
    """Where a draft is wanted inline it is in the history, and the scan finds it: it looks where texts would be."""
    [planned] = [one for one in recorded("generation") if one.workflow_id == "generation_planned"]
    assert GOOD in held(planned.events)
