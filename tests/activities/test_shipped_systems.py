"""The systems of Segue's own connectors."""

from __future__ import annotations

from segue.activities import (
    comparison,
    documents,
    extraction,
    generation,
    http,
    llm,
    mail,
    objects,
    research,
    retrieval,
    sql,
    summary,
)
from segue.activities.settings import SHIPPED


def test_settings_may_name_every_shipped_system() -> None:
    """A `segue.toml` may override any connector's system, whether or not a module has imported it."""
    declared = {
        comparison.system,
        comparison.explaining,
        documents.system,
        extraction.system,
        generation.system,
        http.system,
        http.downloads,
        llm.system,
        mail.system,
        objects.system,
        research.system,
        retrieval.system,
        sql.system,
        summary.system,
        summary.writing,
    }
    assert {system.name for system in declared} == SHIPPED
