"""Objects: files in a local folder, or in S3, Google Cloud Storage or Azure by their URL.

    from segue.activities import objects

    report = await workflow.execute_activity(objects.write_object, objects.WriteObject(url="reports/q1.csv", text=csv))

    @reports.activity
    async def summarise(report: objects.ObjectRef) -> Summary:
        async for chunk in objects.stream(report): ...

A history holds references, never bulk content. Writes are whole or not at all, and repeatable: the same content
written again is the same object. `docs/connectors-objects.md` says what each store promises.

Needs `pip install "segue[objects]"`.
"""

from __future__ import annotations

from segue.activities.objects._address import ROOT_VARIABLE, InvalidObjectUrl, ObjectPrefix, ObjectUrl, join
from segue.activities.objects._errors import (
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    ObjectRefused,
    ObjectsUnavailable,
    ObjectTooLarge,
)
from segue.activities.objects._listing import ObjectPage
from segue.activities.objects._reading import ObjectRef, checksum, info, read, stream
from segue.activities.objects._steps import (
    MAXIMUM_READ_BYTES,
    ChecksumObject,
    CopyObject,
    DeleteObject,
    ListObjects,
    ObjectBody,
    ReadObject,
    TransferProgress,
    WriteObject,
    checksum_object,
    copy_object,
    delete_object,
    list_objects,
    read_object,
    system,
    write_object,
)
from segue.activities.objects._store import forget_stores
from segue.activities.objects._writing import delete, write

__all__ = [
    # requests and results
    "WriteObject",
    "ReadObject",
    "ListObjects",
    "ChecksumObject",
    "CopyObject",
    "DeleteObject",
    "ObjectRef",
    "ObjectBody",
    "ObjectPage",
    "TransferProgress",
    # steps of workflows
    "system",
    "write_object",
    "read_object",
    "list_objects",
    "checksum_object",
    "copy_object",
    "delete_object",
    # for the code of activities
    "write",
    "read",
    "stream",
    "info",
    "checksum",
    "delete",
    "join",
    "forget_stores",
    # fields of requests, limits, settings
    "ObjectUrl",
    "ObjectPrefix",
    "MAXIMUM_READ_BYTES",
    "ROOT_VARIABLE",
    # errors
    "InvalidObjectUrl",
    "ObjectNotFound",
    "ObjectExists",
    "ObjectChanged",
    "ObjectTooLarge",
    "ObjectRefused",
    "ObjectsUnavailable",
]
