"""Withdrawals as facts: once each, found by near names, and known on a day that the lake has."""

from __future__ import annotations

from datetime import date

import pytest

from jobs.lake import withdrawals
from jobs.settings import Settings, UserError

ONE, OTHER, LATE = "places/110000/2025-09-10_1", "places/110000/2025-09-10_2", "places/110105/2026-11-01_1"
DAYS = [(ONE, date(2025, 9, 10)), (OTHER, date(2025, 9, 10)), (LATE, date(2026, 11, 1))]


def test_a_withdrawal_is_written_once(settings: Settings) -> None:
    assert withdrawals.load(settings) == {}
    assert withdrawals.version(settings) is None
    first = withdrawals.add(settings, ONE, "张三", "日期有误", DAYS)
    assert (first.withdrawn_on, first.withdrawn_by, first.reason) == (date(2026, 11, 1), "张三", "日期有误")
    assert withdrawals.add(settings, ONE, "李四", "another reason", DAYS) == first
    assert withdrawals.version(settings) == 0
    with pytest.raises(UserError, match="needs a reason"):
        withdrawals.add(settings, OTHER, "张三", "  ", DAYS)


def test_a_delivery_of_a_wrong_day_does_not_carry_withdrawals_there(settings: Settings) -> None:
    """The second takes back the wrong day itself: both are then known on the true newest day."""
    withdrawals.add(settings, ONE, "张三", "wrong file", DAYS)
    withdrawals.add(settings, LATE, "张三", "wrong day", DAYS)
    days = {name: one.withdrawn_on for name, one in withdrawals.load(settings).items()}
    assert days == {ONE: date(2025, 9, 10), LATE: date(2025, 9, 10)}
    assert withdrawals.newest_standing(DAYS, [LATE]) == date(2025, 9, 10)
    assert withdrawals.newest_standing(DAYS, [name for name, _ in DAYS]) == date(2026, 11, 1)
    assert withdrawals.newest_standing([], []) is None


def test_an_unknown_delivery_is_answered_with_the_nearest(settings: Settings) -> None:
    known = [name for name, _ in DAYS]
    assert withdrawals.named(f"landing/{ONE}/", known) == ONE
    assert withdrawals.named(f"{ONE}/births.csv", known) == ONE
    with pytest.raises(UserError, match="there is no delivery") as raised:
        withdrawals.named("places/110000/2025-09-10_3", known)
    assert ONE in raised.value.way_out
    assert OTHER in raised.value.way_out
    with pytest.raises(UserError) as raised:
        withdrawals.named("2026-11-01_1", known)
    assert f"Near it: {LATE}" in raised.value.way_out
    with pytest.raises(UserError) as raised:
        withdrawals.named("x", known)
    assert "delivery list" in raised.value.way_out
