"""The documents, workflows and searches of the research tests: three leases, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import System, Terminal, documents, objects, research
    from segue.activities.documents import LoadDocument, Span
    from segue.activities.research import Found, Lookup, Passage
    from segue.workflows.research import DeepResearch

web = System("research-test-web")

HARBOUR = """# Lease of Harbour House

1. Term. The lease begins on 1 March 2026 and runs for five years.

2. Rent. The Tenant shall pay a monthly rent of EUR 4,200, due on the first day of each month.

3. Termination. Either party may terminate the lease upon ninety days' written notice. The Tenant shall not be liable
for rent after the date of termination.

4. Repairs. The Landlord shall repair the roof and the heating at its own expense.
"""
MILL = """# Lease of the Old Mill

1. Term. The lease begins on 1 June 2026 and runs for two years.

2. Rent. The Tenant shall pay a monthly rent of EUR 1,850 in advance.

3. Termination. The Landlord may not terminate the lease before its first anniversary. The Tenant may terminate the
lease upon thirty days' written notice.

4. Pets. No pets are allowed without the written consent of the Landlord.
"""
ORCHARD = """# Orchard Cottage

The cottage is let from April to October. A deposit of EUR 900 is due when the contract is signed, and is returned
within two weeks of the end of the stay. Guests bring their own towels.
"""
LETTER = """# Letter of the agent

The rent of Harbour House was raised to EUR 4,400 with effect from 1 January 2027.
"""
QUESTION = "Who may terminate the lease, and upon what notice?"


def write_leases(folder: Path) -> str:
    """Write the documents into a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("harbour.md", HARBOUR), ("mill.md", MILL), ("orchard.md", ORCHARD)):
        (folder / name).write_text(text)
    return str(folder)


@web.activity(name="research_test_search")
async def search_letters(lookup: Lookup) -> Found:
    """Find the agent's letter, whatever is asked, as a search of the web finds pages."""
    query = await research.query_of(lookup)
    if "zebra" in query.lower():
        raise Terminal("the web has no zebras", type="NoZebras")
    written = await objects.write(objects.join(lookup.store, "web", "letter.md"), LETTER)
    document = await documents.load_document(LoadDocument(url=written, store=lookup.store))
    return Found(passages=(Passage(document=document, span=Span(start=0, end=document.characters)),), engine="letters")


WORKFLOWS: list[type] = [DeepResearch]
ACTIVITIES: list[Callable[..., Any]] = [*research.ACTIVITIES, search_letters]
