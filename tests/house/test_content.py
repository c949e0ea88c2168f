"""What no file of the repository may hold: where a machine gets its packages, or where it keeps things.

Those who install Segue have registries and mirrors of their own; a file that names one sends them to another. The
patterns are put together from parts, so that this file does not hold what it forbids.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REGISTRIES = [
    ".".join(host.split())
    for host in (
        "pypi org",
        "pythonhosted org",
        "npmjs org",
        "npmjs com",
        "yarnpkg com",
        "deb debian org",
        "security debian org",
        "archive ubuntu com",
        "anaconda org",
        "crates io",
        "proxy golang org",
        "maven org",
        "rubygems org",
        "docker io",
        "ghcr io",
        "gcr io",
        "quay io",
        "temporal download",
        "githubusercontent com",
    )
]

FORBIDDEN = {
    "a package registry's host name": re.compile(
        r"(?<![\w-])(?:" + "|".join(map(re.escape, REGISTRIES)) + r")(?![\w-])"
    ),
    # Example hosts (RFC 2606) and loopback are no place to download from.
    "a download address": re.compile(
        r"https?://(?!127\.|localhost|\[::1\]|[\w.-]*\bexample\b|[\w.-]+\.(?:test|invalid)\b)"
        r"[^\s\"'<>)]+(?:\.(?:whl|tar\.gz|tgz|zip|deb|rpm|jar|exe|dmg)(?![\w.])|/releases/download/)"
    ),
    "a path of somebody's machine": re.compile(r"(?<![\w.\-/~$}])/(?:work|root|home/[\w.-]+|Users/[\w.-]+)(?![\w-])"),
}


def files_of(root: Path) -> list[Path]:
    """Every file of the repository, those not yet added included, those ignored left out.

    Without git (an unpacked archive, a machine with only Python and make) it is what lies in the folder.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        skipped = re.compile(r"(?:^|/)(?:\.git|\.venv[^/]*|\.segue|__pycache__|\.\w+_cache|build|dist)/")
        return [path for path in root.rglob("*") if path.is_file() and not skipped.search(str(path.relative_to(root)))]
    return [path for name in listed.stdout.decode().split("\0") if name and (path := root / name).is_file()]


def found_in(text: str) -> list[str]:
    """What the text holds that it may not: `line: what: the match`."""
    return [
        f"{number}: {what}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        for match in pattern.finditer(line)
    ]


def test_no_file_names_a_registry_a_download_or_a_machine() -> None:
    """No file of the repository holds a registry's host name, a download address, or a path of somebody's machine."""
    found = [
        f"{path.relative_to(ROOT)}:{problem}"
        for path in files_of(ROOT)
        for problem in found_in(path.read_bytes().decode("utf-8", errors="replace"))
    ]

    assert found == []


REGISTRY, ARCHIVE, FOLDER, HOME = "ghcr" + ".io", "https:" + "//host.net/a-1.0.tar.gz", "/" + "work", "/" + "home/ada"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"image: {REGISTRY}/a/b", [f"1: a package registry's host name: {REGISTRY}"]),
        (f"see {ARCHIVE}", [f"1: a download address: {ARCHIVE}"]),
        (f'File "{FOLDER}/main/x.py"', [f"1: a path of somebody's machine: {FOLDER}"]),
        (f"cd {HOME}/src", [f"1: a path of somebody's machine: {HOME}"]),
        ("http://127.0.0.1:8080/report.zip, https://files.example.com/a.zip and http://a.test/b.tar.gz", []),
        ("workers/segue/workers, a/work/b, /workflows, ~/work and the root/home of it", []),
    ],
)
def test_the_patterns_find_what_they_are_for(line: str, expected: list[str]) -> None:
    """Each pattern finds its own kind and leaves loopback, example hosts and ordinary paths alone."""
    assert found_in(line) == expected
