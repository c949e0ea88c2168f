"""Data extraction: a form of typed fields filled from thousands of documents, into a database.

from segue.workflows.extraction import ExtractData, ExtractDocuments

report = await client.execute_workflow(
    ExtractData.run, ExtractDocuments(form=Form.of(Lease), prefix="s3://leases", store="s3://work"), ...
)
"""

from __future__ import annotations

from segue.workflows.extraction.answers import People, PersonsAnswer
from segue.workflows.extraction.extract import ExtractData, ExtractDocuments

__all__ = ["ExtractData", "ExtractDocuments", "People", "PersonsAnswer"]
