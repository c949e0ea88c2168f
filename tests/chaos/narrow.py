"""Fan-outs spread themselves over child workflows much earlier here, and the children continue as new much sooner.

Else a round would need thousands of items to see either, and what is shown does not depend on how many there are.
"""

from __future__ import annotations

import importlib

for name, constant, value in (
    ("segue.workflows.fanout.fan_out", "_HERE", 120),
    ("segue.workflows.fanout.fan_out", "_A_CHILD", 90),
    ("segue.workflows.fanout.shard", "_EVENTS", 200),
):
    settings = vars(importlib.import_module(name))
    assert constant in settings, f"{name} has no {constant} any more"
    settings[constant] = value
