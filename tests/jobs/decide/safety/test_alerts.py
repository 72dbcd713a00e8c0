"""Alerts are raised once, whatever the order in which files come, and their states come back."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.alerts import (
    ALERT_COLUMNS,
    alerts_of_detection,
    alerts_of_rules,
    frame,
    median_days_to_close,
    once_alert,
    only_new,
    with_states,
)
from jobs.decide.safety.rules import load_rules, rule_hits

RULES = load_rules()
NONE_RAISED = frame([])


def reports(*rows: tuple[str, int], code: str = "fever") -> pd.DataFrame:
    columns = ["school_code", "class_name", "date", "condition_code", "case_count"]
    return pd.DataFrame([("S1", "C1", day, code, n) for day, n in rows], columns=columns)


def raised_by(*rows: tuple[str, int]) -> pd.DataFrame:
    return alerts_of_rules(rule_hits(reports(*rows), RULES))


def test_an_alert_is_a_whole_record() -> None:
    alert = raised_by(("2026-10-12", 3)).iloc[0]
    assert list(alert.index) == ALERT_COLUMNS
    assert alert[["rule_code", "school_code", "level", "owner", "state"]].tolist() == [
        "SYN_CLASS_1D",
        "S1",
        "yellow",
        "学校",
        "new",
    ]
    assert (alert["observed"], alert["upper_bound"], alert["due_date"]) == (3, 3, pd.Timestamp("2026-10-13"))
    assert "学校和托幼机构传染病疫情报告工作规范" in alert["evidence"]


def test_an_alert_keeps_its_id_while_it_goes_on() -> None:
    first = raised_by(("2026-10-12", 3))
    again = raised_by(("2026-10-12", 3), ("2026-10-13", 4))
    one_day = again[again["rule_code"] == "SYN_CLASS_1D"]
    assert list(one_day["alert_id"]) == list(first["alert_id"])
    assert set(only_new(again, first)["rule_code"]) == {"SYN_CLASS_3D"}


def test_a_late_report_that_moves_the_first_day_raises_nothing_again() -> None:
    first = raised_by(("2026-10-13", 3))
    again = raised_by(("2026-10-12", 3), ("2026-10-13", 3))
    assert "SYN_CLASS_1D" not in set(only_new(again, first)["rule_code"])


def test_a_correction_that_takes_the_first_day_away_raises_nothing_again() -> None:
    first = raised_by(("2026-10-13", 3))
    assert only_new(raised_by(("2026-10-14", 3)), first).empty
    assert len(only_new(raised_by(("2026-10-26", 3)), first)) == 1, "two weeks later it is another one"


def test_another_place_or_condition_is_another_alert() -> None:
    first = raised_by(("2026-10-13", 3))
    other = alerts_of_rules(rule_hits(reports(("2026-10-13", 3), code="rash"), RULES))
    assert len(only_new(other, first)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_files_come_nothing_is_raised_twice_or_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = pd.date_range("2026-09-01", "2026-10-30")
    n = 240
    everything = pd.DataFrame(
        {
            "school_code": "S1",
            "class_name": rng.choice(["C1", "C2"], n),
            "date": rng.choice(days, n),
            "condition_code": rng.choice(["fever", "rash"], n),
            "case_count": rng.integers(1, 3, n),
        }
    )
    shuffled = everything.sample(frac=1, random_state=seed)
    batches = [shuffled.iloc[at : at + n // 3] for at in range(0, n, n // 3)]
    whole = alerts_of_rules(rule_hits(everything, RULES))
    assert len(whole) > 5
    keys = ["rule_code", "alert_unit_code", "class_name", "condition_code"]
    for order in permutations(range(3)):
        raised = NONE_RAISED
        for end in (1, 2, 3, 3):  # the last run is repeated
            known = pd.concat([batches[batch] for batch in order[:end]])
            new = only_new(alerts_of_rules(rule_hits(known, RULES)), raised)
            raised = new if raised.empty else pd.concat([raised, new])
        assert not raised["alert_id"].duplicated().any()
        for key, episode in whole.groupby(keys):
            there = raised[(raised[keys] == list(key)).all(axis=1)]
            for alert in episode.itertuples():
                begin, end = alert.alert_date - pd.Timedelta(days=4), alert.last_date + pd.Timedelta(days=4)
                touching = there[(there["alert_date"] <= end) & (there["last_date"] >= begin)]
                assert len(touching) >= 1, "lost"
        nothing = only_new(alerts_of_rules(rule_hits(everything, RULES)), raised)
        assert nothing.empty, "a run with nothing new raises nothing"


def once(**cells: Any) -> pd.DataFrame:
    row = once_alert(
        rule_code="HAZARD_OVERDUE",
        rule_zh="隐患逾期",
        alert_unit_code="S1",
        condition_code="YH-1",
        alert_date=pd.Timestamp("2026-10-12"),
        window_start_date=pd.Timestamp("2026-10-12"),
        last_date=pd.Timestamp("2026-10-12"),
        observed=1.0,
        level="yellow",
        owner="学校",
        due_date=pd.Timestamp("2026-10-12"),
        evidence={},
        **cells,
    )
    return frame([row])


def test_a_hazard_is_raised_once_whatever_its_deadline_becomes() -> None:
    moved = once().assign(alert_date=pd.Timestamp("2027-03-01"), last_date=pd.Timestamp("2027-03-01"))
    assert only_new(moved, once()).empty


def test_states_come_back_and_the_newest_counts() -> None:
    alerts = raised_by(("2026-10-12", 3))
    key = alerts["alert_id"].iloc[0]
    statements = pd.DataFrame(
        [(key, "handled", "2026-10-16"), (key, "seen", "2026-10-13"), (key, "seen", "2026-10-16")],
        columns=["alert_id", "state", "stated_on"],
    )
    stated = with_states(alerts, statements)
    assert list(stated["state"]) == ["handled"], "of two states of one day the one further on"
    table = median_days_to_close(stated, {"S1": "110105"})
    assert table.to_dict("records") == [
        {"district_code": "110105", "alert_count": 1, "open_count": 0, "median_days_to_close": 4.0}
    ]
    assert list(with_states(alerts, statements.iloc[:0])["state"]) == ["new"]


def test_an_alert_opened_again_is_open_and_closes_when_it_closes_for_good() -> None:
    alerts = raised_by(("2026-10-12", 3))
    key = alerts["alert_id"].iloc[0]
    steps = [(key, "handled", "2026-10-13"), (key, "seen", "2026-10-15")]
    columns = ["alert_id", "state", "stated_on"]
    again = with_states(alerts, pd.DataFrame(steps, columns=columns))
    assert again[["state"]].values.tolist() == [["seen"]]
    assert again["closed_on"].isna().all()
    steps += [(key, "handled", "2026-10-20"), (key, "false", "2026-10-22")]
    done = with_states(alerts, pd.DataFrame(steps, columns=columns))
    assert (done["state"].item(), done["closed_on"].item()) == ("false", pd.Timestamp("2026-10-20"))


def test_alarms_of_one_rise_are_one_alert_and_old_ones_are_left_out_whole() -> None:
    days = pd.to_datetime(["2026-10-15", "2026-10-16", "2026-10-19", "2026-10-26"])
    found = pd.DataFrame(
        {
            "unit": "S1",
            "date": days,
            "count": 9,
            "expected": 2.0,
            "upper_bound": 5.0,
            "p_value": 0.004,
            "alarm": 1,
        }
    )
    alerts = alerts_of_detection(found, "ILLNESS_SCHOOL", "因病缺勤异常")
    assert list(alerts["alert_date"]) == [days[0], days[3]]
    assert list(alerts["observed"]) == [27.0, 9.0]
    # A window that has moved on does not cut a run in two.
    later = alerts_of_detection(found, "ILLNESS_SCHOOL", "因病缺勤异常", since=days[1])
    assert list(later["alert_id"]) == list(alerts["alert_id"])
