"""A person's answer: held against the document as a model's is, and put in the place of what was in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import BaseModel, Field
from tests.extraction.leases import Lease, lease

from segue.activities.documents import LoadDocument, load_document
from segue.activities.extraction import (
    Answered,
    Extraction,
    Form,
    How,
    OpenQuestion,
    Question,
    Settled,
    Target,
    Value,
    answer_question,
    extract_document,
)

pytest.importorskip("obstore")

TEXT = "The flat is let to Ann Ames, and from June on to Bo Berg. Cy Cole stands surety.\n"


class Let(BaseModel):
    """Who lives where."""

    tenants: list[str] = Field(description="Names of the tenants")
    flat: str | None = None


def value(name: str, position: int) -> Value:
    start = TEXT.index(name)
    return Value(
        field="tenants",
        position=position,
        value=name,
        raw=name,
        start=start,
        end=start + len(name),
        engine="rules",
        confidence=0.5,
    )


@pytest_asyncio.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[Path, Answered]]:
    """A question about the second of two tenants, and where the answer goes."""
    (tmp_path / "let.txt").write_text(TEXT)
    how = How(form=Form.of(Let), store=str(tmp_path / "store"))
    extracted = await extract_document(Target(url=str(tmp_path / "let.txt")), how)
    kept = Path(extracted.extraction.url.removeprefix("file://"))
    doubt = value("Cy Cole", 1)
    question = Question(field="tenants", reason="unsure", detail="unsure", start=doubt.start, end=doubt.end)
    document = Extraction.model_validate_json(kept.read_text())
    changed = document.model_copy(update={"values": (value("Ann Ames", 0), doubt), "questions": (question,)})
    kept.write_text(changed.model_dump_json())
    open_ = OpenQuestion(document=extracted.document, extraction=extracted.extraction, question=question)
    yield kept, Answered(how=how, question=open_)


def told(kept: Path) -> list[tuple[int, str, str]]:
    extraction = Extraction.model_validate_json(kept.read_text())
    return [(one.position, one.value, one.engine) for one in extraction.values]


async def test_an_answer_takes_the_place_of_what_was_in_doubt(asked: tuple[Path, Answered]) -> None:
    """Of a list, what nobody asked about stays."""
    kept, answered = asked
    settled = await answer_question(answered.model_copy(update={"quote": "to Bo Berg", "value": "Bo Berg"}))
    assert settled.accepted
    assert told(kept) == [(0, "Ann Ames", "rules"), (1, "Bo Berg", "person")]


async def test_an_answer_that_there_is_none(asked: tuple[Path, Answered]) -> None:
    """It takes what was in doubt away."""
    kept, answered = asked
    assert (await answer_question(answered)).accepted
    assert told(kept) == [(0, "Ann Ames", "rules")]


async def test_an_answer_that_the_document_does_not_say(asked: tuple[Path, Answered]) -> None:
    """A person's words are held against the document too, and change nothing where they do not hold."""
    kept, answered = asked
    settled = await answer_question(answered.model_copy(update={"quote": "to Di Dahl"}))
    assert settled == Settled(
        accepted=False,
        why="the quote does not stand in the document",
        document=answered.question.document.digest,
        field="tenants",
    )
    assert told(kept) == [(0, "Ann Ames", "rules"), (1, "Cy Cole", "rules")]


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("a monthly rent of $12,500.00", "Value error, a rent over 10,000 is a mistake"),
        (None, "the form needs a value for this field"),
    ],
)
async def test_an_answer_that_the_form_refuses(tmp_path: Path, quote: str | None, why: str) -> None:
    """The form's own rules hold for people as well."""
    (tmp_path / "lease.txt").write_text(lease(1, rent="$12,500.00"))
    how = How(form=Form.of(Lease), store=str(tmp_path / "store"))
    document = await load_document(LoadDocument(url=str(tmp_path / "lease.txt"), store=how.store))
    extracted = await extract_document(Target(document=document), how)
    assert extracted.unsettled == ("rent",)
    question = Question(field="rent", reason="invalid", detail="a rent over 10,000 is a mistake")
    open_ = OpenQuestion(document=document, extraction=extracted.extraction, question=question)
    settled = await answer_question(Answered(how=how, question=open_, quote=quote))
    assert (settled.accepted, settled.why) == (False, why)
