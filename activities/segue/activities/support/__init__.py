"""Whether what is said is borne out by what is cited, without a model: one set of rules for all that makes claims.

    from segue.activities.support import Evidence, figures, problem, quoted

    problem("Revenue rose 12 %.", ["Revenue grew by 12 percent."])      # "", nothing speaks against it

Summaries, research, explanations of differences and the validators of evidence ask here. Pure code, nothing is read.
"""

from __future__ import annotations

from segue.activities.support.evidence import Evidence, quoted
from segue.activities.support.figures import Figure, figures, states
from segue.activities.support.rules import problem

__all__ = ["Evidence", "Figure", "figures", "problem", "quoted", "states"]
