"""Combined schools: rooms, grounds, equipment and what else all stages share, split between the stages.

Each stage gets pupils × weight over the sum of these; the weights are dated data
(`balance_split_weights.csv`). Teachers are never split: the return reports them by stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

from jobs.decide.evaluation.balance.special import Number
from jobs.declare import standards
from jobs.settings import UserError

# What a combined school reports once for all its stages. The first four serve the method of 2017, too.
SHARED = (
    *("teaching_area_m2", "sports_area_m2", "equipment_value_yuan", "multimedia_classrooms"),
    *("computers", "books", "extra_sports_area_m2"),
)
_FILE = "evaluation/balance_split_weights"


def shares(pupils: Mapping[str, int], on: date) -> dict[str, Fraction]:
    """Stage -> its share of what all stages of a school share. Shares add up to 1.

    In: pupils of every stage of the school, senior too. A stage without pupils gets nothing; a school with
    one stage keeps all. Raises UserError for stages that no kind of combined school has.
    """
    taught = {stage: count for stage, count in pupils.items() if count}
    if len(taught) < 2:
        return {stage: Fraction(1 if stage in taught else 0) for stage in pupils}
    weights = _weights(frozenset(taught), on)
    whole = sum((weights[stage] * count for stage, count in taught.items()), Fraction(0))
    return {stage: weights.get(stage, 0) * Fraction(count) / whole for stage, count in pupils.items()}


def split(pupils: Mapping[str, int], shared: Mapping[str, Number], on: date) -> dict[str, dict[str, Number]]:
    """Stage -> its part of each shared quantity. A quantity of None stays None."""
    of_stage = shares(pupils, on)
    return {
        stage: {name: amount if amount is None else amount * share for name, amount in shared.items()}
        for stage, share in of_stage.items()
    }


def _weights(stages: frozenset[str], on: date) -> dict[str, Fraction]:
    kinds: dict[str, dict[str, Fraction]] = {}
    for row in standards.rows(_FILE, on):
        kinds.setdefault(row["school_type"], {})[row["stage"]] = Fraction(row["weight"])
    # The smallest kind that has all the stages: a twelve-year school without seniors is a nine-year one.
    fitting = [weights for weights in kinds.values() if stages <= weights.keys()]
    if not fitting:
        raise UserError(
            f"no kind of combined school on {on} has the stages {', '.join(sorted(stages))}.",
            f"Add its weights to the standard {_FILE}.",
        )
    return min(fitting, key=len)
