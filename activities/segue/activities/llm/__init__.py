"""Language models, over the OpenAI-compatible protocol: any provider, and servers on one's own machine.

    from segue.activities import SecretRef, llm

    model = llm.Model(name="gpt-4o-mini", base_url="https://api.example/v1", key=SecretRef("env:MODEL_KEY"))

    # in the code of an activity: what it asks does not pass through a history
    answer = await llm.chat(llm.Chat(model=model, messages=(llm.Message.user(question),), store=store))
    answer.text, answer.usage.cost_usd

    # or in a workflow, as a step of its own
    completion = await workflow.execute_activity(llm.complete, llm.Chat(...))

Keys travel as references. Prompts and answers stay in objects, of which the history holds references, unless the caller
chooses otherwise. What is wrong with an answer is an error of its own class. `docs/llm.md` says more.
"""

from __future__ import annotations

from segue.activities.llm._accounts import accounts
from segue.activities.llm._chatting import chat, text_of
from segue.activities.llm._conformity import check_schema, problems
from segue.activities.llm._embedding import Embed, Embeddings, Vectors, embeddings
from segue.activities.llm._errors import (
    ContextTooLong,
    Filtered,
    InvalidOutput,
    InvalidSchema,
    ModelError,
    ModelNotFound,
    ModelUnavailable,
    NotRecorded,
    QuotaExceeded,
    Refused,
    RequestRejected,
    SchemaUnsupported,
    Truncated,
    UsageMissing,
    WrongModel,
)
from segue.activities.llm._local import (
    LOCAL_ENGINE,
    LocalModelMissing,
    local_model,
    local_model_file,
    local_model_problem,
)
from segue.activities.llm._messages import Message, Tool, ToolCall
from segue.activities.llm._models import Model, Price
from segue.activities.llm._records import RECORDING_VARIABLE, Call, Recording
from segue.activities.llm._requests import FALL_BACK_ON, Answer, Chat, Completion, Keep
from segue.activities.llm._rerun import Comparison, Outcome, Past, Row, Scorer, Trial, rerun
from segue.activities.llm._schemas import json_in, schema_of
from segue.activities.llm._steps import POLICY, ModelConnector, complete, embed, system
from segue.activities.llm._usage import Usage

__all__ = [
    # models
    "Model",
    "Price",
    # requests and results
    "Chat",
    "Message",
    "Tool",
    "ToolCall",
    "Keep",
    "FALL_BACK_ON",
    "Completion",
    "Answer",
    "Usage",
    "Embed",
    "Embeddings",
    "Vectors",
    # steps of workflows
    "system",
    "complete",
    "embed",
    "ModelConnector",
    "POLICY",
    # for the code of activities
    "chat",
    "text_of",
    "embeddings",
    "schema_of",
    "check_schema",
    "problems",
    "json_in",
    # answers kept
    "Recording",
    "RECORDING_VARIABLE",
    "Call",
    # answers compared, and counted
    "rerun",
    "Comparison",
    "Trial",
    "Outcome",
    "Row",
    "Past",
    "Scorer",
    "accounts",
    # a model on this machine
    "local_model",
    "local_model_file",
    "local_model_problem",
    "LOCAL_ENGINE",
    "LocalModelMissing",
    # errors
    "ModelError",
    "Refused",
    "Filtered",
    "Truncated",
    "InvalidOutput",
    "ContextTooLong",
    "SchemaUnsupported",
    "ModelNotFound",
    "WrongModel",
    "UsageMissing",
    "QuotaExceeded",
    "RequestRejected",
    "InvalidSchema",
    "NotRecorded",
    "ModelUnavailable",
]
