"""Deep research: a question answered out of documents, each sentence with the words that it stands on.

    Worker(client, task_queue="research", workflows=[DeepResearch], activities=research.ACTIVITIES)

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.workflows.research.deep_research import DeepResearch
from segue.workflows.research.errors import InvalidResearch
from segue.workflows.research.request import Corpus, Research, ResearchRequest

__all__ = ["Corpus", "DeepResearch", "InvalidResearch", "Research", "ResearchRequest"]
