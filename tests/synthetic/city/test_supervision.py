"""What the supervision office recorded tells its four stories on the ladder, whatever the seed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from jobs.decide.evaluation import indicators
from jobs.decide.evaluation.ladder import climb, signals
from jobs.decide.evaluation.ladder.rules import STEPS, rules
from synthetic.city.figures import districts
from synthetic.city.indicators import FIRST_INDICATOR_YEAR, indicator_values
from synthetic.city.supervision import actions

NEWEST = date(2025, 11, 20)


@pytest.mark.parametrize("seed", [0, 7, 20250901])
def test_one_rises_one_is_lifted_with_a_cause_and_one_stays_without(seed: int) -> None:
    values = indicator_values(seed, range(FIRST_INDICATOR_YEAR, NEWEST.year + 1))
    told = actions(values, NEWEST)
    reported = [
        {
            "district_code": districts()[v.district].code,
            "indicator_code": v.code,
            "indicator_year": v.year,
            "indicator_value": Decimal(f"{v.value:.2f}"),
            "numerator": Decimal(v.numerator),
            "denominator": Decimal(v.denominator),
        }
        for v in values
    ]
    record = [
        climb.Action(d, code, STEPS.index(step) + 1, kind, *rest) for d, code, step, kind, *rest in told
    ]
    of_plan = signals.of_plan(indicators.evaluate(reported, NEWEST))
    steps = climb.climbed(of_plan, record, [], rules(NEWEST), NEWEST)
    stand = {(s.district_code, s.metric_code): s for s in steps}
    worst, mended, silent, again = (stand.get((told[n][0], told[n][1])) for n in (0, 2, 4, 5))
    assert worst is not None
    assert (worst.step, worst.last_step, worst.cause) == (3, 2, climb.RULE)
    assert mended is not None
    assert (mended.step, mended.last_step, mended.cause) == (0, 1, climb.RECTIFIED)
    assert silent is not None
    assert (silent.step, silent.condition_state) == (1, climb.ENDED)
    assert again is not None
    # Lifted before the ladder began: over where the rules call for nothing now, else a new warning.
    assert (again.step, again.cause) in ((0, climb.LIFTED), (1, climb.RULE))
    assert 4 <= len(steps) <= 40, "a handful of the 192"
