"""Workflows that analyse documents: two versions compared, a long one summarised.

from segue.workflows.analysis import Compare, CompareDocuments

report = await client.execute_workflow(
    CompareDocuments.run, Compare(before="s3://legal/2024.docx", after="s3://legal/2025.docx", store="s3://work"), ...
)
"""

from __future__ import annotations

from segue.workflows.analysis.compare import Compare, CompareDocuments, ComparisonReport
from segue.workflows.analysis.summarise import DocumentSummary, Summarise, SummariseDocument

__all__ = [
    "Compare",
    "CompareDocuments",
    "ComparisonReport",
    "DocumentSummary",
    "Summarise",
    "SummariseDocument",
]
