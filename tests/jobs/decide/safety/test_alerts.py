"""Alerts are raised once, whatever the order in which files come, and an outbreak grows under its number."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.alerts import JOINED, NEW, OVER, frame, once_alert, statements
from jobs.decide.safety.outbreaks import of_rules, outbreaks, over_after
from jobs.decide.safety.rules import load_rules, rule_hits

RULES = load_rules()
NONE_RAISED = frame([])
DAYS_APART = over_after()
AS_OF = pd.Timestamp("2026-10-30")


def reports(*rows: tuple[str, int], code: str = "fever") -> pd.DataFrame:
    columns = ["school_code", "class_name", "date", "condition_code", "case_count"]
    return pd.DataFrame([("S1", "C1", day, code, n) for day, n in rows], columns=columns)


def alerts_of(cases: pd.DataFrame, as_of: pd.Timestamp = AS_OF) -> pd.DataFrame:
    return outbreaks(of_rules(rule_hits(cases, RULES)), as_of)


def raised_by(*rows: tuple[str, int]) -> pd.DataFrame:
    return alerts_of(reports(*rows))


def said(alerts: pd.DataFrame, raised: pd.DataFrame) -> pd.DataFrame:
    return statements(alerts, raised, DAYS_APART)


def after(raised: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The newest row of each alert."""
    both = pd.concat([one for one in (raised, new) if not one.empty])
    return both.drop_duplicates("alert_id", keep="last")


def test_an_outbreak_keeps_its_number_and_deadline_while_it_grows() -> None:
    first = raised_by(("2026-10-12", 3))
    again = said(raised_by(("2026-10-12", 3), ("2026-10-13", 4)).assign(due_date=AS_OF), first)
    assert list(again["alert_id"]) == list(first["alert_id"])
    assert list(again["due_date"]) == list(first["due_date"])
    assert again["last_date"].item() == pd.Timestamp("2026-10-13")
    assert json.loads(again["evidence"].item())["rules"] == ["SYN_CLASS_1D", "SYN_CLASS_3D"]
    assert said(raised_by(("2026-10-12", 3), ("2026-10-13", 4)), again).empty, "nothing new, nothing said"


def test_a_level_rises_and_never_falls() -> None:
    first = raised_by(("2026-10-12", 3))
    urgent = raised_by(("2026-10-12", 3)).assign(level="red", owner="区教委")
    grown = said(urgent, first)
    assert grown[["level", "raised_level", "owner"]].values.tolist() == [["red", "yellow", "区教委"]]
    calmer = raised_by(("2026-10-12", 3), ("2026-10-13", 4))
    assert said(calmer, grown)[["level", "owner"]].values.tolist() == [["red", "区教委"]]


def test_a_late_report_that_moves_the_first_day_raises_nothing_again() -> None:
    first = raised_by(("2026-10-13", 3))
    again = said(raised_by(("2026-10-12", 3), ("2026-10-13", 3)), first)
    assert set(again["alert_id"]) == set(first["alert_id"])


def test_a_correction_that_takes_the_first_day_away_raises_nothing_again() -> None:
    first = raised_by(("2026-10-13", 3))
    assert set(said(raised_by(("2026-10-14", 3)), first)["alert_id"]) == set(first["alert_id"])
    other = said(raised_by(("2026-10-26", 3)), first)
    assert not set(other["alert_id"]) & set(first["alert_id"]), "two weeks later it is another one"


def test_another_place_or_condition_is_another_alert() -> None:
    first = raised_by(("2026-10-13", 3))
    other = said(alerts_of(reports(("2026-10-13", 3), code="rash")), first)
    assert len(other) == 1
    assert set(other["alert_id"]).isdisjoint(first["alert_id"])


def test_days_that_come_late_join_two_alerts_into_the_first() -> None:
    apart = pd.concat([raised_by(("2026-10-01", 3)), raised_by(("2026-10-15", 3))])
    assert len(apart) == 2
    between = raised_by(*((f"2026-10-{day:02d}", 3) for day in (1, 8, 15)))
    now = after(apart, said(between, apart))
    assert sorted(now["state"]) == [JOINED, OVER]
    kept = now[now["state"] != JOINED].iloc[0]
    assert (kept["alert_date"], kept["last_date"]) == (pd.Timestamp("2026-10-01"), pd.Timestamp("2026-10-15"))
    assert said(between, now).empty


def test_an_outbreak_told_when_it_was_over_is_new_when_it_goes_on() -> None:
    told_late = alerts_of(reports(("2026-10-05", 3)))
    assert list(told_late["state"]) == [OVER]
    goes_on = alerts_of(reports(("2026-10-05", 3), ("2026-10-08", 3)), as_of=pd.Timestamp("2026-10-09"))
    again = said(goes_on, told_late)
    assert list(again["state"]) == [NEW]
    assert list(again["due_date"]) == [pd.Timestamp("2026-10-10")], "it is due anew"


@pytest.mark.parametrize("seed", range(2))
def test_in_whatever_order_files_come_nothing_is_raised_twice_or_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = pd.date_range("2026-09-01", "2027-01-15")
    n = 150
    everything = pd.DataFrame(
        {
            "school_code": rng.choice(["S1", "S2", "S3"], n),
            "class_name": rng.choice(["C1", "C2"], n),
            "date": rng.choice(days, n),
            "condition_code": rng.choice(["fever", "diarrhea"], n),
            "case_count": rng.integers(1, 4, n),
        }
    )
    shuffled = everything.sample(frac=1, random_state=seed)
    batches = [shuffled.iloc[at : at + n // 3] for at in range(0, n, n // 3)]
    whole = alerts_of(everything)
    assert len(whole) > 4
    apart = pd.Timedelta(days=DAYS_APART["fever"])
    for order in permutations(range(3)):
        raised = NONE_RAISED
        for end in (1, 2, 3, 3):  # the last run is repeated
            known = pd.concat([batches[batch] for batch in order[:end]])
            raised = after(raised, said(alerts_of(known), raised))
        standing = raised[raised["state"] != JOINED]
        for key, own in standing.groupby(["alert_unit_code", "condition_code"]):
            own = own.sort_values("alert_date")
            gaps = own["alert_date"].iloc[1:].to_numpy() - own["last_date"].iloc[:-1].to_numpy()
            assert (gaps > apart.to_numpy()).all(), f"{key}: one outbreak, two alerts"
        for alert in whole.itertuples():
            touching = standing[
                (standing["alert_unit_code"] == alert.alert_unit_code)
                & (standing["condition_code"] == alert.condition_code)
                & (standing["alert_date"] <= alert.last_date + apart)
                & (standing["last_date"] >= alert.alert_date - apart)
            ]
            assert len(touching) >= 1, "lost"
        assert said(alerts_of(everything), raised).empty, "a run with nothing new says nothing"


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
        raised_date=pd.Timestamp("2026-10-12"),
        due_date=pd.Timestamp("2026-10-13"),
        evidence={},
        **cells,
    )
    return frame([row])


def test_a_hazard_is_raised_once_whatever_its_deadline_becomes() -> None:
    moved = once().assign(alert_date=pd.Timestamp("2027-03-01"), last_date=pd.Timestamp("2027-03-01"))
    assert said(moved, once()).empty
