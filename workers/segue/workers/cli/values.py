"""Input from the command line: read, and validated against type hints before anything is sent.

    values = bound("FulfilOrder", parameters(FulfilOrder.run), read_inputs(["order.json"]))

JSON is validated as the receiver will validate it, so what is wrong is said here, with the field's path, and nothing
has started.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from segue.workers.cli.exits import Exit, Failure

_SHOWN_PROBLEMS: Final = 10
# How the names begin of the handlers that Temporal's SDK and Segue add to every run.
_ADDED: Final = ("__", "segue_")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a workflow or handler.

    Attributes:
        name: Its name.
        hint: Its type hint; None for none, and for one that cannot be resolved.
        required: Whether it has no default.
    """

    name: str
    hint: Any
    required: bool


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters of a method, without `self`."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # a hint that only a type checker can resolve
        hints = {}
    return [
        Parameter(found.name, hints.get(found.name), found.default is inspect.Parameter.empty)
        for found in list(inspect.signature(function).parameters.values())[1:]
        if found.kind in (found.POSITIONAL_ONLY, found.POSITIONAL_OR_KEYWORD)
    ]


def run_method(cls: type) -> Callable[..., Any]:
    """Return the method of a workflow class that is its run."""
    # Temporal's decorators leave their definition here; there is no public way to ask for it.
    definition: Any = getattr(cls, "__temporal_workflow_definition")
    function: Callable[..., Any] = definition.run_fn
    return function


def handler(cls: type, kind: Literal["signals", "queries", "updates"], name: str) -> Callable[..., Any] | None:
    """Return a handler of a workflow class by its registered name; None if its class does not say whether it has it.

    That is so if it has a dynamic one for all names, and of the handlers that Segue adds to every run.

    Raises:
        Failure: It has no handler of that name.
    """
    definition: Any = getattr(cls, "__temporal_workflow_definition")
    handlers: dict[str | None, Any] = getattr(definition, kind)
    if name in handlers:
        found: Callable[..., Any] = handlers[name].fn
        return found
    if None in handlers or name.startswith(_ADDED):
        return None
    known = ", ".join(sorted(known for known in handlers if known is not None))
    singular = {"signals": "signal", "queries": "query", "updates": "update"}[kind]
    those = f"its {kind} are {known}" if known else "it has none"
    raise Failure(f"{definition.name} has no {singular} {name!r}: {those}", Exit.USAGE)


def read_inputs(given: Sequence[str], option: str = "--input") -> list[bytes]:
    """Return the JSON texts that an option names: JSON itself, a file's content, or standard input for `-`.

    Args:
        given: The option's values.
        option: The option, for messages.

    Raises:
        Failure: One is neither JSON nor a file that holds JSON.
    """
    return [_read(value, option) for value in given]


def _read(value: str, option: str) -> bytes:
    if value == "-":
        return _json(sys.stdin.buffer.read(), f"{option} -: standard input")
    try:
        return _json(value.encode(), option)
    except Failure:
        if not (path := Path(value)).is_file():
            if value.lstrip()[:1] in ("{", "[", '"'):
                raise
            raise Failure(
                f"{option} {value!r} is neither a file nor JSON; a text is quoted twice: {option} '\"{value}\"'",
                Exit.USAGE,
            ) from None
    try:
        return _json(path.read_bytes(), str(path))
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", Exit.USAGE) from error


def _json(text: bytes, origin: str) -> bytes:
    import pydantic_core

    try:
        pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Failure(f"{origin} is not JSON: {error}", Exit.USAGE) from error
    return text


def bound(callee: str, expected: Sequence[Parameter] | None, texts: Sequence[bytes]) -> list[Any]:
    """Return the arguments for a call: typed and validated, or plain if it is not known what is expected.

    One text is the argument of what takes one, and a JSON array of the arguments of what takes several. Several texts
    are an argument each.

    Args:
        callee: What is called, for messages.
        expected: Its parameters; None if they are not known.
        texts: JSON texts.

    Raises:
        Failure: Names what is missing, too much or wrong.
    """
    import pydantic_core

    if expected is None:
        return [pydantic_core.from_json(text) for text in texts]
    parts = _spread(callee, expected, texts) if len(texts) == 1 else list(texts)
    required = [parameter for parameter in expected if parameter.required]
    if not len(required) <= len(parts) <= len(expected):
        raise Failure(f"{callee} takes {_described(expected)}, and got {len(parts) or 'none'}", Exit.USAGE)
    values: list[Any] = []
    problems: list[str] = []
    for parameter, part in zip(expected, parts, strict=False):
        value, wrong = _validated(parameter, part)
        values.append(value)
        problems += wrong
    if problems:
        left_out = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        raise Failure(f"{callee}: {'; '.join(problems[:_SHOWN_PROBLEMS])}{left_out}", Exit.USAGE)
    return values


def _spread(callee: str, expected: Sequence[Parameter], texts: Sequence[bytes]) -> list[bytes]:
    import pydantic_core

    if len(expected) == 1:
        return list(texts)
    value: object = pydantic_core.from_json(texts[0])
    if isinstance(value, list):
        items: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        return [pydantic_core.to_json(item) for item in items]
    if expected and sum(parameter.required for parameter in expected) <= 1:
        return list(texts)
    if not expected:
        raise Failure(f"{callee} takes no input", Exit.USAGE)
    raise Failure(
        f"{callee} takes {_described(expected)}: give them as a JSON array, or --input once for each", Exit.USAGE
    )


def _validated(parameter: Parameter, text: bytes) -> tuple[Any, list[str]]:
    import pydantic
    import pydantic_core

    from segue.activities import faithful

    if parameter.hint is None:
        return pydantic_core.from_json(text), []
    try:
        adapter = faithful.adapter(parameter.hint)
    except pydantic.errors.PydanticUserError:  # a class that pydantic cannot validate: the receiver will say
        return pydantic_core.from_json(text), []
    try:
        return adapter.validate_json(text), []
    except pydantic.ValidationError as error:
        # Without the input, which may be secret or large.
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return None, [f"{'.'.join((parameter.name, *map(str, problem['loc'])))}: {problem['msg']}" for problem in found]


def _described(expected: Sequence[Parameter]) -> str:
    if not expected:
        return "no input"
    names = [
        f"{parameter.name}{_hinted(parameter.hint)}{'' if parameter.required else ', optional'}"
        for parameter in expected
    ]
    count = "one argument" if len(expected) == 1 else f"{len(expected)} arguments"
    return f"{count} ({'; '.join(names)})"


def _hinted(hint: Any) -> str:
    if hint is None:
        return ""
    return f": {hint.__qualname__}" if isinstance(hint, type) and not typing.get_args(hint) else f": {hint}"
