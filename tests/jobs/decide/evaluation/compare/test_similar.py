"""Similar schools: near as counted by hand; one outlier moves nobody, and too few make no set."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.evaluation.compare import similar
from jobs.declare import standards

ON = date(2025, 11, 20)
WEIGHT = {"size": 0.4, "mobility": 0.2, "zone": 0.15, "migrant": 0.15, "boarding": 0.1}


def school(number: int, size: float, **other: Any) -> dict[str, Any]:
    plain = {
        "school_code": f"{number:010d}",
        "stage_code": "primary",
        "school_kind": "ordinary",
        "stage_pupil_count": size,
        "mobility_share": 0.02,
        "zone_code": "core",
        "migrant_share": 0.1,
        "boarding_share": 0.0,
    }
    return plain | other


def row_of(count: int) -> list[dict[str, Any]]:
    """Schools of 100, 200, … pupils, alike in all else."""
    return [school(n, 100.0 * n) for n in range(1, count + 1)]


def random_schools(count: int, seed: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame([school(n, float(rng.integers(50, 3000))) for n in range(count)])
    for name in ("mobility_share", "migrant_share", "boarding_share"):
        values = rng.random(count)
        frame[name] = np.where(rng.random(count) < 0.1, np.nan, values)
    frame["zone_code"] = rng.choice(["a", "b", "c", "d"], count)
    return frame


def nearest(rows: pd.DataFrame, code: str) -> list[str]:
    _, members = similar.similar(rows, WEIGHT)
    return members.loc[members["school_code"] == code, "comparator_school_code"].tolist()


def test_distance_is_the_weighted_sum_of_differences_over_the_range() -> None:
    rows = row_of(12)
    rows[1] |= {"zone_code": "hills"}
    _, members = similar.similar(pd.DataFrame(rows), WEIGHT)
    mine = members[members["school_code"] == "0000000001"].set_index("comparator_school_code")
    pair = mine.loc["0000000002"]
    # Without the least and the greatest, sizes span 200 to 1,100; the rest is equal but the zone.
    assert pair["size_contribution"] == pytest.approx(0.4 * 100 / 900, abs=1e-6)
    assert pair["zone_contribution"] == pytest.approx(0.15, abs=1e-6)
    assert pair["mobility_contribution"] == pair["migrant_contribution"] == 0
    parts = members.filter(like="_contribution").sum(axis=1)
    assert np.allclose(parts, members["similar_distance"], atol=4e-6)


def test_one_outlier_moves_nobody_elses_distance() -> None:
    seen = []
    for largest in (1200.0, 1_000_000.0):
        rows = row_of(12)
        rows[-1] |= {"stage_pupil_count": largest}
        _, members = similar.similar(pd.DataFrame(rows), WEIGHT)
        assert members["similar_distance"].max() <= 1
        is_other = (members[["school_code", "comparator_school_code"]] != "0000000012").all(axis=1)
        seen.append(members[is_other].drop(columns="similar_order").reset_index(drop=True))
    pd.testing.assert_frame_equal(*seen)


def test_no_school_is_its_own_comparator_and_sets_hold_thirty() -> None:
    sets, members = similar.similar(random_schools(600), WEIGHT)
    assert (members["school_code"] != members["comparator_school_code"]).all()
    assert set(sets["set_size"]) == {30}
    assert not members.duplicated(["school_code", "comparator_school_code"]).any()
    orders = members.groupby("school_code")["similar_order"].agg(list)
    assert all(own == list(range(1, 31)) for own in orders)
    assert members.groupby("school_code")["similar_distance"].is_monotonic_increasing.all()


def test_sets_do_not_depend_on_the_order_of_rows_and_ties_go_by_code() -> None:
    rows = random_schools(80)
    shuffled = rows.sample(frac=1, random_state=3)
    for one, other in zip(similar.similar(rows, WEIGHT), similar.similar(shuffled, WEIGHT), strict=True):
        pd.testing.assert_frame_equal(one, other)
    alike = pd.DataFrame([school(n, 500) for n in range(40)]).sample(frac=1, random_state=1)
    assert nearest(alike, "0000000005") == [f"{n:010d}" for n in range(31) if n != 5]


def test_a_combined_school_compares_by_stage_and_kinds_do_not_mix() -> None:
    rows = row_of(12)
    rows += [r | {"stage_code": "junior", "stage_pupil_count": 50.0 * n} for n, r in enumerate(row_of(12))]
    rows += [school(99, 100, school_kind="51")]
    sets, members = similar.similar(pd.DataFrame(rows), WEIGHT)
    assert len(sets) == 25
    both = members[members["school_code"] == "0000000001"]
    assert both.groupby("stage_code").size().to_dict() == {"junior": 11, "primary": 11}
    assert "0000000099" not in set(members["comparator_school_code"])
    alone = sets[sets["school_code"] == "0000000099"].iloc[0]
    assert (alone["candidate_count"], alone["set_size"], alone["refused_reason"]) == (0, 0, similar.TOO_FEW)


@pytest.mark.parametrize(
    ("count", "size", "reason"), [(10, 0, similar.TOO_FEW), (11, 10, None), (41, 30, None)]
)
def test_fewer_than_ten_candidates_make_no_set(count: int, size: int, reason: str | None) -> None:
    sets, members = similar.similar(pd.DataFrame(row_of(count)), WEIGHT)
    assert set(sets["set_size"]) == {size}
    assert set(sets["refused_reason"]) == {reason}
    assert len(members) == count * size


def test_no_school_at_all_makes_no_set() -> None:
    sets, members = similar.similar(pd.DataFrame(row_of(1)).head(0), WEIGHT)
    assert sets.empty
    assert members.empty


def test_a_blank_draws_nobody_nearer() -> None:
    rows = row_of(12)
    for n, row in enumerate(rows):
        row |= {"stage_pupil_count": 500.0, "mobility_share": 0.01 * n}
    rows[11] |= {"mobility_share": None}
    order = nearest(pd.DataFrame(rows), "0000000001")
    # By mobility 0.01, 0.02 …; the blank stands as far as the mean, neither first nor last.
    assert order[:2] == ["0000000002", "0000000003"]
    assert 3 < order.index("0000000012") < 9
    sets, _ = similar.similar(pd.DataFrame(rows), WEIGHT)
    assert sets.set_index("school_code")["missing_variables"].dropna().to_dict() == {"0000000012": "mobility"}


def test_what_a_school_itself_lacks_gives_its_weight_to_the_rest() -> None:
    rows = row_of(12)
    rows[0] |= {"mobility_share": None, "boarding_share": None}
    _, members = similar.similar(pd.DataFrame(rows), WEIGHT)
    mine = members[members["school_code"] == "0000000001"].set_index("comparator_school_code")
    assert mine.loc["0000000002", "size_contribution"] == pytest.approx(0.4 / 0.7 * 100 / 900, abs=1e-6)
    assert (mine["mobility_contribution"] == 0).all()


def test_where_all_but_one_are_equal_the_difference_is_whole_and_never_nan() -> None:
    rows = [school(n, 500) for n in range(12)]
    rows[11] |= {"stage_pupil_count": 501.0}
    _, members = similar.similar(pd.DataFrame(rows), WEIGHT)
    assert members["similar_distance"].notna().all()
    odd = members[members["comparator_school_code"] == "0000000011"]
    assert set(odd["size_contribution"]) == {0.4}


def test_weights_are_dated_and_add_up() -> None:
    assert similar.weights(ON) == WEIGHT
    assert similar.weights(date(2023, 12, 31)) == {}


def test_weights_that_do_not_add_up_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standards, "rows", lambda *_: [{"variable": "size", "weight": "0.9"}])
    with pytest.raises(ValueError, match="add up to 1"):
        similar.weights(ON)
