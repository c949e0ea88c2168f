"""Documents to read, of our own writing, and what must hold of anything that was read."""

from __future__ import annotations

import itertools

from segue.activities.documents import ParsedDocument

__all__ = ["CONTRACT", "check", "shown", "titles"]

CONTRACT = """\
                         LIGHTHOUSE SERVICES AGREEMENT

This Agreement is made on 3 March 2026 between Northpier Ltd ("Keeper") and
Saltmarsh Harbour Board ("Board").

                                   RECITALS

A. The Board owns the lighthouse at Saltmarsh.

B. Keeper is willing to keep it lit, as set out in
4.2 below.

1. DEFINITIONS. In this Agreement:

   (a) "Lamp" means the lamp of the lighthouse;

   (b) "Night" means the time from sunset to sunrise; and

   (c) "Keeper's Log" means the book in which the Keeper notes each Night, in
       the form of Exhibit A.

2. Services

   2.1 Keeping the Lamp. Keeper shall keep the Lamp lit each Night.

   2.2 Keeper shall (i) clean the Lamp weekly; and (ii) report
       each failure under Section 2.1 within twenty-four (24) hours.

                                     -1-

3. Fees. The Board shall pay USD 1,200 a month.

ARTICLE IV
TERM AND TERMINATION

4.1 Term. This Agreement is for two years.

4.2 Termination. Either party may end it on
thirty (30) days' notice.

                                     -2-

EXHIBIT A
KEEPER'S LOG

Date, weather, ships.
"""


def check(parsed: ParsedDocument) -> None:
    """Hold a document to what its docstrings promise."""
    text, position = parsed.text, 0
    for clause in parsed.clauses:
        assert position <= clause.start < clause.end <= len(text)
        assert not text[position : clause.start].strip()
        assert parsed.quote(clause) == parsed.quote(clause).strip() != ""
        position = clause.end
    assert not text[position:].strip()
    for before, section in itertools.pairwise(parsed.sections):
        assert before.start <= section.start
        # One lies within the other, or comes after it.
        assert section.within(before) == (section.level > before.level) or section.start >= before.end
    for section in parsed.sections:
        assert section.heading.within(section)
        assert section.title
        assert section.start == section.heading.start
    if parsed.pages:
        assert [page.number for page in parsed.pages] == list(range(1, len(parsed.pages) + 1))
        assert parsed.pages[0].start == 0
        assert parsed.pages[-1].end == len(text)
        assert all(before.end == page.start for before, page in itertools.pairwise(parsed.pages))


def shown(parsed: ParsedDocument) -> list[tuple[str, str, str]]:
    """Return kind, number and text of each clause, each in one line."""
    return [(clause.kind, clause.number, " ".join(parsed.quote(clause).split())) for clause in parsed.clauses]


def titles(parsed: ParsedDocument) -> list[tuple[int, str, str]]:
    """Return level, number and title of each section."""
    return [(section.level, section.number, section.title) for section in parsed.sections]
