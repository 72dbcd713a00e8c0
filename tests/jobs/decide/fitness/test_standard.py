"""The tables as they lie under expectations: whole, in order, and contradicting nothing."""

import numpy as np
import pytest

from jobs.decide.fitness import standard as st
from jobs.declare import standards


def test_the_tables_are_whole() -> None:
    counts = {
        name: len(standards.rows(f"fitness/2014/{name}")) for name in ("weights", "bmi", "scoring", "bonus")
    }
    assert counts == {"weights": 78, "bmi": 104, "scoring": 3120, "bonus": 560}
    assert sum(row["cell_status"] == "official_blank" for row in standards.rows("fitness/2014/scoring")) == 43


def test_better_never_earns_less() -> None:
    for item in st.load().items:
        if item.measure.code == "bmi":
            continue
        for table in (item.points, item.bonus):
            steps = np.diff(table[:, 1:].astype(int), axis=1)
            assert (steps <= 0 if item.lower_is_better else steps >= 0).all(), item.measure.code


def test_every_value_of_an_item_earns_something_defined() -> None:
    standard = st.load()
    for item in standard.items:
        belongs = item.weight > 0
        assert (item.points[belongs, 1:] >= 0).all()
        assert (item.points[~belongs] == st.NO_POINTS).all()
        assert (item.points[:, 0] == st.NO_POINTS).all()
    assert not any(item.weight[standard.no_group] for item in standard.items)


def test_bonus_is_twenty_at_most() -> None:
    standard = st.load()
    assert (sum(np.maximum(item.bonus.max(axis=1), 0) for item in standard.items)[:-1] == 20).all()


def test_thresholds_lie_where_values_are_possible() -> None:
    for item in st.load().items:
        low, high = item.measure.possible
        assert low <= item.first, item.measure.code
        assert item.last <= high, item.measure.code


@pytest.mark.parametrize("value", ["10.15", "0.01"])
def test_a_table_finer_than_the_unit_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="finer"):
        st.in_units(value, 1)
