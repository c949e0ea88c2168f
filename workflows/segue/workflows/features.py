"""What this version does in a run that an earlier one, or plain Temporal, did otherwise: told by the run's own history.

    if has(Feature.CARRIED_STEPS): ...

A replay must do what the run did. The plugin's workflow runner keeps a flag with the first workflow task in which a
run is asked for a feature; a history without the flag replays without the feature, and its run goes on without it to
its end. Under another runner a patch does the same, and costs an event.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, cast

from temporalio import workflow

__all__ = ["FIRST_DECISION", "FLAG_FUNCTION", "FLAGS", "Feature", "has"]

FLAG_FUNCTION: Final = "segue_flag"
"""External function by which the plugin's workflow runner tells whether a run has a feature, given its number."""


FIRST_DECISION: Final = 0x60000000
"""The first of the flags that say what became of each step that failed: see `segue.workflows.repair.outcome`."""

FLAGS: Final = range(0x5E600000, 0xC0000000)
"""All of Segue's flags."""


class Feature(enum.IntEnum):
    """What a run may have. The number is its flag; the SDK's own flags are small numbers, these are far from them."""

    NAMED_STEPS = 0x5E61E001
    """Its activities have ids of the form `name-n`."""
    CARRIED_STEPS = 0x5E61E002
    """Its steps are held back below the server's limits, and may pause."""
    INDEXED_WAITS = 0x5E61E003
    """What it waits for is in a search attribute: its first such wait began where the namespace had it."""

    PARKED_STEPS = 0x5E61E004
    """Its steps that fail for good may park."""
    MEASURED_STEPS = 0x5E61E005
    """Its steps start as far as its history has room for their results."""

    DISTINCT_IDS = 0x5E61E011
    """No two of its steps have the same key, whoever gave them their ids, and a graph's have ids of their own."""

    WHOLE_TEARDOWNS = 0x5E61E012
    """Its graphs tear down all that came up, also of a setup that ended with the cancellation, or failed halfway."""

    REFUSED_EARLY = 0x5E61E013
    """It is refused what cannot work as it is written, where earlier versions let it begin."""

    ACCOUNTED_LOSERS = 0x5E61E014
    """Its races wait for a loser of which nobody knows whether it took effect."""

    WEIGHED_FAN_OUTS = 0x5E61E031
    """Its fan-outs send their arguments whole and as they were, and weigh what is sent and what comes back."""

    SETTLED_SAGAS = 0x5E61E021
    """Its sagas undo what is still under way too, once that has ended, and take nothing when they have ended."""

    PATIENT_SIGNALS = 0x5E61E022
    """A signal that continues it as new waits for what is parked, as its own code does."""

    @property
    def patch(self) -> str:
        """Id of the patch that stands for it under another runner."""
        return _PATCHES[self]


_PATCHES: Final = {
    Feature.NAMED_STEPS: "segue.activity-id",
    Feature.CARRIED_STEPS: "segue.carried-steps",
    Feature.INDEXED_WAITS: "segue.indexed-waits",
    Feature.PARKED_STEPS: "segue.parked-steps",
    Feature.MEASURED_STEPS: "segue.measured-steps",
    Feature.DISTINCT_IDS: "segue.distinct-ids",
    Feature.WHOLE_TEARDOWNS: "segue.whole-teardowns",
    Feature.REFUSED_EARLY: "segue.refused-early",
    Feature.ACCOUNTED_LOSERS: "segue.accounted-losers",
    Feature.WEIGHED_FAN_OUTS: "segue.weighed-fan-outs",
    Feature.SETTLED_SAGAS: "segue.settled-sagas",
    Feature.PATIENT_SIGNALS: "segue.patient-signals",
}


def has(feature: Feature) -> bool:
    """Return whether this run has a feature. A run that is not replaying gets it by asking.

    The first answer holds for the rest of the run. So it may be asked where the feature first makes a difference, and a
    run in which that happened before there was the feature goes on without it.
    """
    external = cast("Mapping[str, Callable[[int], bool]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    flag = external.get(FLAG_FUNCTION)
    if flag is not None and flag(feature):
        return True
    return workflow.patched(feature.patch)
