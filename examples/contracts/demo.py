"""Two versions of a contract compared, and a folder of contracts extracted into a database: no model, no code but this.

    make demo                                             # as its second act
    python -m examples.contracts.demo --keep              # leaves the server up at the end

The workflows are those that Segue ships; the worker is `segue worker` on their modules. What the demo says at the end
it reads from the report and from the database, and checks each quote and each value against the file that it is from.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from examples.contracts.agreement import Agreement
from examples.screen import Screen
from examples.worker import ProcessEnded, Worker
from temporalio.client import Client

import segue.client
from segue.activities import comparison, documents, objects, sql
from segue.activities.extraction import Form
from segue.activities.objects import ROOT_VARIABLE
from segue.workers import ports
from segue.workers.server import UI_PORT, DevServerError, dev_server
from segue.workflows.analysis import Compare, CompareDocuments
from segue.workflows.extraction import ExtractData, ExtractDocuments

HERE: Final = Path(__file__).parent
FOLDER: Final = Path(".segue/demo-contracts")
QUEUE: Final = "contracts"
MODULES: Final = ("segue.workflows.analysis", "segue.workflows.extraction")

_MARK: Final = ".segue-demo"
_SHOWN: Final = 9


class DemoError(RuntimeError):
    """The demo cannot come to its end; the message says why."""


async def demo(folder: Path, keep: bool, screen: Screen) -> bool:
    """Compare and extract, and return whether every quote and value is in its source."""
    _prepare(folder)
    os.environ[ROOT_VARIABLE] = str(folder)
    screen.heading("Contracts", "  two versions compared, a folder extracted into a database, no model")
    async with dev_server(folder / "temporal.db", port=0, ui_port=UI_PORT if ports.is_free(UI_PORT) else 0) as server:
        client = await segue.client.connect(target_host=server.address)
        worker = Worker(
            MODULES, QUEUE, folder / "worker.log", {"TEMPORAL_ADDRESS": server.address, ROOT_VARIABLE: str(folder)}
        )
        try:
            await worker.start()
            screen.event(f"worker {worker.pid} serves the workflows that Segue ships")
            true = await compare(client, screen)
            true = await extract(client, folder, screen) and true
            if keep:
                screen.heading("In the Web UI", f"  {server.ui}/namespaces/{server.namespace}/workflows")
                screen.line("  Ctrl-C ends it.")
                with contextlib.suppress(asyncio.CancelledError):
                    await server.process.wait()
            await worker.stop()
        finally:
            await asyncio.shield(worker.kill())
    return true


async def compare(client: Client, screen: Screen) -> bool:
    """Compare the two versions of the services agreement, and show what matters."""
    request = Compare(before="services-2025.md", after="services-2026.md", store="work/")
    report = await client.execute_workflow(CompareDocuments.run, request, id="compare-services", task_queue=QUEUE)
    screen.event(f"{report.before.clauses} clauses compared with {report.after.clauses}")
    screen.heading(
        f"{report.matter} of {report.findings} findings matter", f"  found by {report.engine}, the weightiest first"
    )
    told = json.loads(await objects.read(report.data))
    found = comparison.Comparison.model_validate(told["comparison"])
    for finding in found.material[:_SHOWN]:
        number = finding.number_after or finding.number_before
        screen.line(f"  {screen.paint(f'{number:>5}', 'bold')}  {finding.kind:9} {finding.flags[0].reason}")
    if found.material[_SHOWN:]:
        screen.line(screen.paint(f"         and {len(found.material) - _SHOWN} more", "dim"))
    quotes = [citation for finding in found.findings for citation in (*finding.before, *finding.after)]
    texts = {one.digest: await documents.opened(one) for one in (report.before, report.after)}
    there = sum(_is_there(texts[quote.document], quote) for quote in quotes)
    screen.line()
    screen.line(f"  {_mark(screen, there == len(quotes))} {there} of {len(quotes)} quotes stand in their documents")
    screen.line(f"  the report, both texts side by side: {report.html.url.removeprefix('file://')}")
    return there == len(quotes)


async def extract(client: Client, folder: Path, screen: Screen) -> bool:
    """Extract what the folder of agreements says into a database, and show the rows with their evidence."""
    database = f"sqlite:///{folder / 'agreements.db'}"
    request = ExtractDocuments(form=Form.of(Agreement), prefix="agreements/", store="work/", database=database)
    report = await client.execute_workflow(ExtractData.run, request, id="extract-agreements", task_queue=QUEUE)
    screen.heading(
        f"{report.values} values of {report.done} agreements are in agreements.db",
        f"  found by {', '.join(report.engines)}, {report.unsettled} for a person to look at",
    )
    query = sql.Query(database=database, statement="SELECT * FROM extracted_values ORDER BY name, span_start")
    found: list[dict[str, Any]] = [dict(row) for row in (await sql.query(query)).dicts()]
    await sql.close()
    for name, rows in groupby(found, lambda row: str(row["name"])):
        screen.line(f"  {screen.paint(name, 'bold')}")
        for row in rows:
            said = " ".join(str(row["raw"]).split())
            screen.line(f"    {row['field']:14} {row['value']:27} {screen.paint(f'“{said}”', 'dim')}")
    told = json.loads(await objects.read(report.report))
    for kind in told["errors"]:
        for one in kind["documents"]:
            screen.line(f"  {screen.paint('not read', 'yellow')}  {one['message']}")
    there = sum([await _stands(row, folder) for row in found])
    screen.line()
    screen.line(f"  {_mark(screen, there == len(found))} {there} of {len(found)} values stand in their agreements")
    return there == len(found) == report.values


async def _stands(row: dict[str, Any], folder: Path) -> bool:
    """Whether a row's evidence stands at its span of what was read, and in the file itself, mark-up and space aside."""
    url = f"agreements/{row['name']}"
    text = await documents.opened(await documents.load_document(documents.LoadDocument(url=url, store="work/")))
    source = " ".join((folder / url).read_text().split())
    said = text.text[row["span_start"] : row["span_end"]]
    return said == row["raw"] and " ".join(said.split()) in source


def _is_there(text: documents.ParsedDocument, quote: documents.Citation) -> bool:
    """Whether a quote, as the report has it, stands where it says in the file itself, white space aside."""
    source = " ".join((HERE / text.name).read_text().split())
    return " ".join(text.quote(quote).split()) in source


def _mark(screen: Screen, good: bool) -> str:
    return screen.paint("✓", "green") if good else screen.paint("✗", "red")


def _prepare(folder: Path) -> None:
    """Make the folder anew with the contracts in it, unless it holds something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise DemoError(f"{folder} holds something else than an earlier demo: name another folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / _MARK).touch()


async def _main(arguments: argparse.Namespace, screen: Screen) -> bool:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does: every process is ended.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await demo(arguments.folder.absolute(), arguments.keep, screen)


def main() -> None:
    """Run the demo; the exit code is 0 if every quote and value stands in its document."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Two versions of a contract compared, a folder extracted into a database."
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="made anew; holds the reports (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the server up at the end, for the Web UI")
    arguments = parser.parse_args()
    screen = Screen()
    try:
        code = 0 if asyncio.run(_main(arguments, screen)) else 1
    except (DemoError, ProcessEnded, DevServerError) as error:
        screen.clear()
        print(f"\n{error}", file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        screen.clear()
        print("\nStopped. Every process of the demo has ended.", file=sys.stderr)
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # Temporal's native runtime may abort while the interpreter is taken down (temporalio/sdk-python#300).
    os._exit(code)


if __name__ == "__main__":
    main()
