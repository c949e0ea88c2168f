"""What a fan-out needs before anything starts: an activity, a sequence of items that it takes, and sensible bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from temporalio.common import RetryPolicy

from segue.activities import faithful
from segue.activities.system import activity_name
from segue.workflows.fanout.errors import InvalidFanOut
from segue.workflows.fanout.job import Batch
from segue.workflows.graph.hints import UNKNOWN, Signature, refusal, signature
from segue.workflows.options import UndeclaredActivity, has_timeout

__all__ = ["Call", "allowed_of", "checked", "completed", "is_reference"]

_OPTIONS: Final[Mapping[str, type]] = {
    "task_queue": str,
    "start_to_close_timeout": timedelta,
    "schedule_to_close_timeout": timedelta,
    "schedule_to_start_timeout": timedelta,
    "heartbeat_timeout": timedelta,
    "retry_policy": RetryPolicy,
}
_LARGEST_BATCH: Final = 1_500_000


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call that can run.

    Attributes:
        activity: Registered name of the activity.
        result: Type hint of what it returns; Any if it has none.
        batch: How items are put together; None for an activity each.
    """

    activity: str
    result: Any
    batch: Batch | None


def checked(
    fn: Any,
    items: Any,
    args: Sequence[Any],
    concurrency: Any,
    batch: Any,
    tolerate: Any,
    results_to: Any,
    options: Mapping[str, Any],
) -> Call:
    """Return what a call says.

    Raises:
        InvalidFanOut: It cannot run. Says what is wrong, and with which item.
        UndeclaredActivity: The activity has no timeout, because no system declares it here.
    """
    given = items
    name = activity_name(fn) if callable(fn) else None
    if name is None:
        raise InvalidFanOut(
            f"fan_out needs an activity, not {_shown(fn)}: declare it with @system.activity or @activity.defn"
        )
    if not is_reference(items) and (not isinstance(items, Sequence) or isinstance(items, (str, bytes, bytearray))):
        raise InvalidFanOut(
            f"fan_out of {name!r} needs a sequence of items, not a {type(items).__name__}: give a list, in an order "
            "that a replay finds again"
        )
    if not _is_whole(concurrency) or concurrency < 1:
        raise InvalidFanOut(f"fan_out of {name!r}: concurrency must be a whole number from 1, not {concurrency!r}")
    for key, value in options.items():
        if key not in _OPTIONS:
            raise InvalidFanOut(f"fan_out of {name!r} has no option {key!r}: it has {', '.join(_OPTIONS)}")
        if value is not None and not isinstance(value, _OPTIONS[key]):
            raise InvalidFanOut(f"fan_out of {name!r}: {key} must be a {_OPTIONS[key].__name__}, not {value!r}")
    known = signature(fn)
    _check_arguments(name, known, args)
    together = _batch(name, batch)
    allowed_of(name, tolerate, 0)
    _check_timeout(fn, name, together, options)
    if is_reference(items) or results_to is not None:
        _check_objects(name, together, results_to)
    if not is_reference(items):
        _check_items(name, known, given)
    return Call(name, Any if known.returns is UNKNOWN else known.returns, together)


def completed(name: str, fn: Any, items: Iterable[Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the further arguments of items that are activities of their own, with the defaults of those left out.

    Temporal goes by type hints only where all parameters are given: with fewer, a model would arrive as plain JSON.

    Raises:
        InvalidFanOut: A default cannot be sent, and without it what is sent would not arrive as it is.
    """
    filled = list(args)
    for parameter in signature(fn).parameters[1 + len(args) :]:
        default = parameter.default
        if (problem := refusal(default, parameter.hint) or faithful.unserializable(default)) is not None:
            if all(map(faithful.plain, (*args, *items))):
                return args
            raise InvalidFanOut(
                f"fan_out of {name!r}: argument {len(filled) + 2} {parameter.name!r} is left out, and its default "
                f"cannot be sent: {problem}. Temporal goes by type hints only when all parameters are given: give it, "
                "or give batch="
            )
        filled.append(default)
    return tuple(filled)


def is_reference(items: Any) -> bool:
    """Return whether items are a reference to an object that holds them."""
    # Who has such a reference has imported its module, which others need not pay for.
    kind: type = items.__class__
    return kind.__name__ == "ObjectRef" and kind.__module__.startswith("segue.activities.objects")


def _check_timeout(fn: Any, name: str, batch: Batch | None, options: Mapping[str, Any]) -> None:
    # Here, for a child workflow would wait for the declaration where nobody looks. How long a batch may take is told
    # by the time of one attempt of an item.
    given = options if batch is None else {"start_to_close_timeout": options.get("start_to_close_timeout")}
    if not has_timeout(fn, given):
        raise UndeclaredActivity(
            f"fan_out of {name!r} has no timeout: no system declares it in this process. Declare it with "
            "@system.activity and import its module in the worker, or pass start_to_close_timeout"
        )


def _check_objects(name: str, batch: Batch | None, results_to: Any) -> None:
    if batch is None:
        raise InvalidFanOut(
            f"fan_out of {name!r}: items and results in objects are read and written by whole batches: give batch="
        )
    if results_to is None:
        return
    from segue.activities.objects import ObjectPrefix

    if (problem := refusal(results_to, ObjectPrefix)) is not None:
        # Pydantic wraps what the connector itself says of a URL.
        said = problem.partition("InvalidObjectUrl: ")[2] or problem
        raise InvalidFanOut(f"fan_out of {name!r}: results_to must be the URL of a folder: {said}")


def _check_arguments(name: str, known: Signature, args: Sequence[Any]) -> None:
    taken = None if known.rest is not None else len(known.parameters)
    given = 1 + len(args)
    if given < known.required or (taken is not None and given > taken):
        takes = str(known.required) if taken == known.required else f"{known.required} to {taken or 'any number of'}"
        raise InvalidFanOut(f"fan_out of {name!r}: it takes {takes} arguments, and these are {given} with the item")
    for position, value in enumerate(args, 1):
        parameter = known.parameter(position)
        hint = parameter.hint if parameter is not None else UNKNOWN
        if (problem := refusal(value, hint)) is not None:
            which = f" {parameter.name!r}" if parameter is not None else ""
            raise InvalidFanOut(f"fan_out of {name!r}: argument {position + 1}{which}: {problem}")


def _check_items(name: str, known: Signature, items: Sequence[Any]) -> None:
    parameter = known.parameter(0)
    hint = parameter.hint if parameter is not None else UNKNOWN
    values = items if isinstance(items, list) else list(items)
    # All in one look, which is mostly a pass in C; one by one only to name what is wrong.
    whole: Any = UNKNOWN if hint is UNKNOWN else list[hint]  # type: ignore[valid-type]
    if refusal(values, whole) is None:
        return
    for index, value in enumerate(values):
        if (problem := refusal(value, hint)) is not None:
            raise InvalidFanOut(f"fan_out of {name!r}: item {index}: {problem}")


def _batch(name: str, batch: Any) -> Batch | None:
    if batch is None:
        return None
    if isinstance(batch, Batch):
        for field in ("count", "size_bytes", "concurrency"):
            value: Any = getattr(batch, field)
            if not _is_whole(value) or value < 1:
                raise InvalidFanOut(f"fan_out of {name!r}: batch.{field} must be a whole number from 1, not {value!r}")
        if batch.size_bytes > _LARGEST_BATCH:
            raise InvalidFanOut(
                f"fan_out of {name!r}: batch.size_bytes must be at most {_LARGEST_BATCH:,}, for one call carries 2 MiB"
            )
        return batch
    if not _is_whole(batch) or batch < 1:
        raise InvalidFanOut(f"fan_out of {name!r}: batch must be a whole number from 1, or a Batch, not {batch!r}")
    return Batch(count=batch)


def allowed_of(name: str, tolerate: Any, total: int) -> int:
    """Return how many of so many items may fail.

    Raises:
        InvalidFanOut: That is not what `tolerate` says.
    """
    if tolerate is None:
        return 0
    if isinstance(tolerate, float) and math.isfinite(tolerate) and 0 <= tolerate <= 1:
        return math.floor(tolerate * total)
    if _is_whole(tolerate) and tolerate >= 0:
        return cast("int", tolerate)
    raise InvalidFanOut(
        f"fan_out of {name!r}: tolerate must be a number of items, as 3, or a share from 0.0 to 1.0, not {tolerate!r}"
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(fn: Any) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)
