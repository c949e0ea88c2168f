"""HTTP: requests, JSON and downloads, from an activity's own code or straight from a workflow.

    from segue.activities import http

    @payments.activity
    async def charge(order: Order) -> Receipt:
        return await http.post_json("https://api.payments.example/charges", order, response=Receipt)

    # in a workflow
    rates = await workflow.execute_activity(http.request_json, http.HttpRequest(url="https://rates.example/today"))
    report = await workflow.execute_activity(http.download, http.DownloadRequest(url=url, to="s3://reports/today.csv"))

Connections are pooled for the whole worker. A method that has an effect carries the step's idempotency key. Answers are
bounded while they arrive; redirects carry no credential to another origin; secrets travel as references. Errors are
httpx's, and say which request failed; `segue.activities.errors` decides which of them are tried again.

For one system with its own policy, capacity, base URL and credentials, declare an `HttpConnector`.
`docs/connectors-http.md` says more.
"""

from __future__ import annotations

from datetime import timedelta

from segue.activities.http._connector import HttpConnector
from segue.activities.http._errors import (
    ChecksumMismatch,
    NotJson,
    RedirectRefused,
    RequestRefused,
    RequestTimeout,
    ResponseTooLarge,
    UnexpectedJson,
)
from segue.activities.http._pool import close
from segue.activities.http._requests import Download, DownloadRequest, HttpRequest, HttpResponse
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = [
    # requests and results
    "HttpRequest",
    "HttpResponse",
    "DownloadRequest",
    "Download",
    # activities, which are functions too
    "request",
    "request_json",
    "download",
    # functions for activities
    "get_json",
    "post_json",
    "put_json",
    "send_json",
    "HttpConnector",
    "close",
    # systems
    "system",
    "downloads",
    # errors
    "ChecksumMismatch",
    "NotJson",
    "RedirectRefused",
    "RequestRefused",
    "RequestTimeout",
    "ResponseTooLarge",
    "UnexpectedJson",
]

system = System("http")
"""Requests to any HTTP system that has no `System` of its own, under the default policy."""

downloads = System("http-downloads", policy=Policy(start_to_close_timeout=timedelta(hours=1)))
"""Downloads: long, and so with a heartbeat, which also carries how far they are."""

_connector = HttpConnector(system, name="segue.http", downloads=downloads)

request = _connector.request
request_json = _connector.request_json
download = _connector.download
send_json = _connector.send_json
get_json = _connector.get_json
post_json = _connector.post_json
put_json = _connector.put_json
