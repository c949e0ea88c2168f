"""What the document and model workflows get right, measured on public data; prints tables.

    python -m benchmarks.evals DATA [--only alignment|extraction|retrieval|summaries|requirements] [--json FILE]

DATA is a folder of public data sets, none of which is part of this repository; docs/evals.md says which, and how each
lies in it. An evaluation whose data is not there says so, and the others go on.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

EVALS: Final = {
    "alignment": ("cuad", "site-policy", "commonpaper-csa"),
    "extraction": ("cuad",),
    "retrieval": ("cuad", "contract-nli"),
    "summaries": ("earnings21", "cuad", "site-policy"),
    "requirements": ("ifeval",),
}
"""Each evaluation, a module beside this one, and the folders of DATA that it reads."""


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print one evaluation as a table."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "eval"))
    lines = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    words = [any(isinstance(row.get(column), str) for row in rows) for column in columns]
    print(f"\n{title}")
    for line in lines:
        aligned = (
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(line, widths, words, strict=True)
        )
        print("  " + "  ".join(aligned).rstrip(), flush=True)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.4g}" if value >= 1000 else f"{value:.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def main(options: argparse.Namespace) -> int:
    """Run the evaluations and print them; 1 if one could not be run."""
    results: list[dict[str, Any]] = []
    missing = 0
    for name in options.only or EVALS:
        absent = [folder for folder in EVALS[name] if not (options.data / folder).is_dir()]
        if absent:
            missing += 1
            print(f"\n{name}: not run, {options.data} has no {' and no '.join(absent)}", file=sys.stderr)
            continue
        began = time.perf_counter()
        rows: list[dict[str, Any]] = importlib.import_module(f"benchmarks.evals.{name}").measure(options.data)
        show(f"{name}, {time.perf_counter() - began:.0f} s", rows)
        results += rows
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if missing else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of public data sets")
    parser.add_argument("--only", action="append", choices=tuple(EVALS), help="only this one; may be given again")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows to a file too")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"there is no folder {str(given.data)!r}: docs/evals.md says what it should hold")
    sys.exit(main(given))
