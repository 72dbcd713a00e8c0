"""What is owed: by the calendar, with what has come and what was handed in just now."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jobs import clock
from portal.door import due

from .conftest import DISTRICT, OTHER, SCHOOL, Client
from .test_routes import returns


@pytest.mark.parametrize(
    ("came", "waiting", "day", "state"),
    [
        ([], [], date(2025, 9, 30), due.DUE),
        ([], [], date(2025, 10, 1), due.LATE),
        ([(date(2025, 9, 2), "accepted")], [], date(2025, 10, 1), due.DONE),
        ([(date(2025, 9, 2), "repeated")], [], date(2025, 10, 1), due.DONE),
        ([(date(2025, 9, 2), "held")], [], date(2025, 9, 3), due.IN_DOUBT),
        ([(date(2025, 9, 2), "held")], [(date(2025, 9, 3), "accepted")], date(2025, 9, 3), due.HANDED_IN),
        ([], [(date(2025, 9, 3), "refused")], date(2025, 9, 3), due.DUE),
        # What came before the period opened, or after the next one did, is none of it.
        ([(date(2025, 8, 31), "accepted"), (date(2026, 9, 1), "accepted")], [], date(2026, 9, 1), due.LATE),
    ],
)
def test_the_state_of_a_period(came: Any, waiting: Any, day: date, state: str) -> None:
    period = due.Period(
        "grade_return",
        "district",
        (),
        "2025-2026",
        date(2025, 9, 1),
        date(2026, 8, 31),
        date(2025, 9, 1),
        date(2025, 9, 30),
        "x",
    )
    assert due._state(period, day, (period.opens, date(2026, 9, 1)), came, waiting) == state


def test_what_was_handed_in_is_owed_no_more(door: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda _: date(2026, 9, 10))
    assert door.get("/api/v1/deliveries/due").json()["due"] == [], "nobody owes before the first delivery"
    made = door.hand_in(("a.csv", returns())).json()
    door.verdict(made["id"])
    told = door.get("/api/v1/deliveries/due").json()
    assert (told["senders"], told["as_of_date"]) == ([DISTRICT], "2026-09-10")
    states = {one["dataset"]: (one["state"], one["days_left"]) for one in told["due"]}
    assert states["grade_return"] == (due.HANDED_IN, 20)
    assert states["school_register"] == (due.DUE, 5)
    order = [due._ORDER[one["state"]] for one in told["due"]]
    assert order == sorted(order)
    for who, sender in (("school", DISTRICT), ("district", OTHER), ("office", SCHOOL)):
        asked = door.get(f"/api/v1/deliveries/due?sender={sender}", headers={"x-who": who})
        assert asked.status_code == 404
