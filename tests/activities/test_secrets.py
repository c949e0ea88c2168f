"""References to secrets are resolved in the worker, and nothing else ever shows a value."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from segue.activities.errors import classify
from segue.activities.secrets import MAXIMUM_SECRET_BYTES, SecretError, SecretRef


def test_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An `env:` reference is the value of the worker's environment variable, after the prefix."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret")
    assert SecretRef("env:PAYMENTS_TOKEN").resolve() == "s3cret"
    assert SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ").resolve() == "Bearer s3cret"


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
@pytest.mark.parametrize(
    ("content", "value"), [(b"s3cret", "s3cret"), (b"s3cret\n", "s3cret"), (b"a\r\n", "a"), (b"a\nb\n\n", "a\nb\n")]
)
def test_file(tmp_path: Path, form: str, content: bytes, value: str) -> None:
    """A `file:` reference is the text of a file without the one final newline that editors add."""
    path = tmp_path / "token"
    path.write_bytes(content)
    assert SecretRef(form.format(path)).resolve() == value


def test_rotated_secret_is_taken_up(tmp_path: Path) -> None:
    """A secret is read at every use."""
    path = tmp_path / "token"
    reference = SecretRef(f"file:{path}")
    path.write_text("old")
    assert reference.resolve() == "old"
    path.write_text("new")
    assert reference.resolve() == "new"


def test_missing_variable_names_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set is a terminal error that names it and says what to do."""
    monkeypatch.delenv("PAYMENTS_TOKEN", raising=False)
    with pytest.raises(SecretError) as raised:
        SecretRef("env:PAYMENTS_TOKEN").resolve()
    assert raised.value.message == (
        "Secret 'env:PAYMENTS_TOKEN' is not set: set the variable PAYMENTS_TOKEN in the environment of the worker"
    )
    assert raised.value.ref == "env:PAYMENTS_TOKEN"
    assert raised.value.non_retryable
    assert raised.value.type == "SecretError"
    assert classify(raised.value) is raised.value


def test_empty_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty value is no secret: a request without its credential would only fail later and elsewhere."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "")
    with pytest.raises(SecretError, match=r"^SecretError: Secret 'env:PAYMENTS_TOKEN' is empty$"):
        SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ").resolve()


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that is missing, a directory, too large or not text is refused, and no content is shown."""
    missing, folder, large, binary = (tmp_path / name for name in ("missing", "folder", "large", "binary"))
    folder.mkdir()
    large.write_bytes(b"x" * (MAXIMUM_SECRET_BYTES + 1))
    binary.write_bytes(b"s3cret\xff")
    problems = {
        missing: "cannot be read: No such file or directory",
        folder: "cannot be read: Is a directory",
        large: "is larger than 65,536 bytes, so it is no secret's file",
        binary: "is not UTF-8 text",
    }
    for path, problem in problems.items():
        with pytest.raises(SecretError) as raised:
            SecretRef(f"file:{path}").resolve()
        assert str(raised.value) == f"SecretError: Secret 'file:{path}' {problem}"
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("ref", ["s3cret", "", "env:", "env:A-B", "file:relative", "file://", "vault:a/b", "ENV:A"])
def test_other_forms_are_refused_without_repeating_them(ref: str) -> None:
    """A text that is no reference may be the secret itself, so the error does not repeat it."""
    with pytest.raises(pydantic.ValidationError) as raised:
        SecretRef(ref)
    assert str(raised.value).splitlines()[:3] == [
        "1 validation error for SecretRef",
        "0",
        "  Value error, a secret is referred to as 'env:NAME' or 'file:/absolute/path' [type=value_error]",
    ]


def test_repr_and_json_hold_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown and what travels is the reference."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret")
    reference = SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ")
    assert repr(reference) == "SecretRef(ref='env:PAYMENTS_TOKEN', prefix='Bearer ')"
    adapter = pydantic.TypeAdapter(SecretRef)
    assert adapter.dump_json(reference) == b'{"ref":"env:PAYMENTS_TOKEN","prefix":"Bearer "}'
    assert adapter.validate_json(adapter.dump_json(reference)) == reference
