"""The reporting calendar: days as declared, days off, and each mistake told by file, entry and way out."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import settings as site_settings
from jobs.declare import reporting
from jobs.declare.model import ContractError
from jobs.declare.reporting import Days, Due

ENTRY: dict[str, Any] = {
    "dataset": "pupil_roll",
    "senders": "district",
    "every": "term",
    "opens": {"after": "begins", "days": 0},
    "due": {"after": "begins", "by": "09-20"},
    "valid_from": date(2024, 9, 1),
    "basis": "某办法",
}
UNTIL = date(2025, 11, 20)


def due(**changed: Any) -> Due:
    return Due.model_validate({**ENTRY, **changed})


def only(entry: Due, days: Days | None = None, until: date = UNTIL) -> list[tuple[str, date, date]]:
    return [(one.period, one.opens, one.due) for one in reporting.periods([entry], days or Days(), until)]


@pytest.fixture
def beijing() -> Days:
    return reporting.days_of(site_settings.load("beijing").calendar)


def test_each_kind_of_period_has_its_label_and_days() -> None:
    told = {
        every: sorted(
            (p.period, p.begins, p.ends) for p in reporting.periods([due(every=every)], Days(), UNTIL)
        )
        for every in ("school_year", "term", "calendar_year", "half_year", "month")
    }
    assert told["school_year"] == [
        ("2024-2025", date(2024, 9, 1), date(2025, 8, 31)),
        ("2025-2026", date(2025, 9, 1), date(2026, 8, 31)),
    ]
    assert told["term"] == [
        ("2024-2025-1", date(2024, 9, 1), date(2025, 1, 31)),
        ("2024-2025-2", date(2025, 3, 1), date(2025, 8, 31)),
        ("2025-2026-1", date(2025, 9, 1), date(2026, 1, 31)),
    ]
    assert told["calendar_year"] == [("2025", date(2025, 1, 1), date(2025, 12, 31))]
    assert told["half_year"] == [
        ("2025-H1", date(2025, 1, 1), date(2025, 6, 30)),
        ("2025-H2", date(2025, 7, 1), date(2025, 12, 31)),
    ]
    assert told["month"][0] == ("2024-09", date(2024, 9, 1), date(2024, 9, 30))
    assert told["month"][5] == ("2025-02", date(2025, 2, 1), date(2025, 2, 28))
    assert told["month"][-1][0] == "2025-11"


def test_a_due_day_off_moves_as_declared(beijing: Days) -> None:
    """31 May 2025 is the Dragon Boat festival, a Saturday; it ends on 2 June."""
    entry = {
        "every": "calendar_year",
        "due": {"after": "begins", "by": "05-31"},
        "valid_from": date(2025, 1, 1),
    }
    assert only(due(**entry), beijing)[0][2] == date(2025, 6, 3)
    assert only(due(**entry, moves="previous"), beijing)[0][2] == date(2025, 5, 30)
    assert only(due(**entry, moves="stays"), beijing)[0][2] == date(2025, 5, 31)


def test_offices_work_through_the_vacation_and_on_make_up_days(beijing: Days) -> None:
    assert beijing.is_workday(date(2025, 7, 15))
    assert not beijing.is_school_day(date(2025, 7, 15))
    assert not beijing.is_workday(date(2025, 7, 13)), "a Sunday of the vacation"
    assert not beijing.is_workday(date(2025, 10, 3)), "the national day"
    assert beijing.is_workday(date(2025, 9, 28)), "a Sunday that makes up for it"
    assert beijing.is_workday(date(2031, 3, 3)), "beyond the calendar, Monday to Friday"


def test_days_are_counted_behind_their_anchor(beijing: Days) -> None:
    year = {"every": "school_year", "valid_from": date(2025, 9, 1)}
    assert only(due(**year, due={"after": "begins", "workdays": 1}), beijing)[0][2] == date(2025, 9, 2)
    assert only(due(**year, due={"after": "begins", "school_days": 5}), beijing)[0][2] == date(2025, 9, 8)
    # The school year ends on 31 August; the first such day behind it is of the next year.
    assert only(due(**year, due={"after": "ends", "by": "03-31"}), beijing)[0][2] == date(2027, 3, 31)


def test_an_entry_asks_from_its_first_day_until_its_last() -> None:
    entry = due(every="month", valid_to=date(2025, 1, 1), due={"after": "ends", "days": 5}, moves="stays")
    assert [label for label, _, _ in only(entry)] == ["2024-09", "2024-10", "2024-11", "2024-12"]
    assert (
        only(due(opens={"after": "ends", "days": 1}, due={"after": "ends", "days": 9}))[-1][0]
        == "2024-2025-2"
    )


def test_the_citys_calendar_holds_at_its_sites_alone() -> None:
    of_site = {name: site_settings.load(name).jurisdictions for name in ("beijing", "nyc", "us")}
    assert reporting.load(of_site["beijing"])
    assert not reporting.load(of_site["nyc"])
    assert not reporting.load(of_site["us"])


MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"dataset": "pupil_rol"}, ["due[0] (pupil_rol)", "dataset", "did you mean pupil_roll"]),
    ({"senders": "office"}, ["due[0].senders (pupil_roll)", "'district', 'city' or 'school'"]),
    ({"senders": "city"}, ["senders", "never sends it", "give district or school"]),
    ({"every": "week"}, ["due[0].every", "'month'"]),
    ({"types": ["21"]}, ["types: only schools have types", "remove it"]),
    ({"senders": "school", "types": ["99"]}, ["types", "99", "school_type_prefix.csv"]),
    ({"due": {"after": "begins"}}, ["due[0].due (pupil_roll)", "give one of by, days"]),
    ({"due": {"after": "begins", "by": "09-31x"}}, ["due[0].due.by", "pattern"]),
    ({"due": {"after": "begins", "by": "02-29"}}, ["due[0].due", "give 02-28 or 03-01"]),
    ({"due": {"after": "begins", "workday": 3}}, ["due[0].due.workday", "did you mean workdays"]),
    ({"valid_from": "September"}, ["due[0].valid_from", "date"]),
    ({"valid_to": date(2024, 9, 1)}, ["valid_to: it must come after valid_from"]),
    ({"valid_too": date(2025, 9, 1)}, ["due[0].valid_too", "did you mean valid_to"]),
    ({"basis": ""}, ["due[0].basis"]),
]


@pytest.mark.parametrize(("changed", "words"), MISTAKES, ids=lambda told: next(iter(told)) if told else "")
def test_a_mistake_names_file_entry_and_way_out(
    tmp_path: Path, changed: dict[str, Any], words: list[str]
) -> None:
    entry = {key: told for key, told in {**ENTRY, **changed}.items() if told is not None}
    content = {"jurisdictions": ["X"], "due": [entry]}
    (tmp_path / "some.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(ContractError) as told:
        reporting.load(["X"], tmp_path)
    assert str(told.value).startswith("calendar/some.yaml: ")
    for word in words:
        assert word in str(told.value)


def test_two_entries_never_hold_on_one_day(tmp_path: Path) -> None:
    later = ENTRY | {"every": "month", "valid_from": date(2025, 9, 1)}
    content = {"jurisdictions": ["X"], "due": [ENTRY, later]}
    (tmp_path / "some.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(ContractError, match="two entries hold on 2025-09-01; give the earlier one valid_to"):
        reporting.load(["X"], tmp_path)


def test_nothing_is_due_before_it_opens() -> None:
    entry = due(opens={"after": "ends", "days": 0})
    with pytest.raises(
        ContractError, match="pupil_roll of 2024-2025-1 is due on 2024-09-20, before it opens"
    ):
        reporting.periods([entry], Days(), UNTIL)
