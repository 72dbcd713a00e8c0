"""What is known to come: units open, close and change their grades, and no pupil is lost or made."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from jobs.cli.places import app
from jobs.decide.places import coming
from jobs.decide.places.events import Event, read_events
from jobs.decide.places.forecast import BOUNDS, backtest_frame, forecast_frame
from jobs.decide.places.input_file import InputError
from jobs.decide.places.panel import build_panel

LAST = 2012


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    """Two parents: P with A, B, C of grades 1–5 and M of 6–7; Q with D of grades 1–7."""
    rng = np.random.default_rng(3)
    rows = []
    for unit, parent, grades, size in (
        *(("A", "P", range(1, 6), 80), ("B", "P", range(1, 6), 60), ("C", "P", range(1, 6), 40)),
        *(("M", "P", range(6, 8), 170), ("D", "Q", range(1, 8), 90)),
    ):
        for year in range(2000, LAST + 1):
            for grade in grades:
                rows.append((unit, parent, year, grade, int(rng.normal(size, 3))))
    return pd.DataFrame(rows, columns=["unit", "parent_unit", "year", "grade", "enrollment"])


def both(pupils: pd.DataFrame, *events: Event) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The forecast without and with events, by level, unit, grade and year; checked to hang together."""
    keys = ["level", "unit", "grade", "year"]
    plain = forecast_frame(pupils, horizon=4).set_index(keys).sort_index()
    made = forecast_frame(pupils, horizon=4, events=events)
    for _, rows in made.groupby(["grade", "lead"]):
        assert rows.groupby("level")["forecast"].sum().nunique() == 1
    bounds = [made[c] for c in ("lower_90", "lower_80", "forecast", "upper_80", "upper_90")]
    assert all((low <= high).all() for low, high in pairwise([pd.Series(0, made.index), *bounds]))
    made = made.set_index(keys).sort_index()
    change = made["forecast"] - plain["forecast"].reindex(made.index).fillna(0)
    assert (change == made["event_count"]).all()
    assert (made.xs("total")["event_count"] == 0).all()
    return plain["forecast"], made["forecast"]


def test_a_merged_unit_is_empty_from_that_year_and_its_successor_has_all(pupils: pd.DataFrame) -> None:
    plain, made = both(pupils, Event("B", LAST + 2, partners=("C",)))
    pd.testing.assert_series_equal(made.xs("parent"), plain.xs("parent"))
    for grade in ("1", "5", "all"):
        before, after = plain.xs("unit"), made.xs("unit")
        assert after["B", grade, LAST + 1] == before["B", grade, LAST + 1] > 0
        assert (after["B", grade].loc[LAST + 2 :] == 0).all()
        joined = before["B", grade].loc[LAST + 2 :] + before["C", grade].loc[LAST + 2 :]
        assert (after["C", grade].loc[LAST + 2 :] == joined).all()
        assert (after["A", grade] == before["A", grade]).all()


def test_a_closed_unit_without_successor_goes_to_its_siblings_by_size(pupils: pd.DataFrame) -> None:
    plain, made = both(pupils, Event("C", LAST + 1))
    pd.testing.assert_series_equal(made.xs("parent"), plain.xs("parent"))
    more = (made - plain).xs("unit").xs("1", level="grade").unstack("unit")
    assert (more["A"] > more["B"]).all()
    assert (more["B"] > 0).all()
    assert (more["D"] == 0).all()


def test_the_last_unit_of_a_parent_goes_to_the_others(pupils: pd.DataFrame) -> None:
    plain, made = both(pupils, Event("D", LAST + 1))
    assert (made["parent", "Q", "all"] == 0).all()
    assert (made["parent", "P", "all"] == plain["total", "total", "all"]).all()


def test_a_successor_that_closes_too_hands_on(pupils: pd.DataFrame) -> None:
    _, made = both(
        pupils,
        *(Event("B", LAST + 1, partners=("C",)), Event("C", LAST + 2, partners=("A",))),
        # Two that name each other end at the siblings.
        *(Event("M", LAST + 1, partners=("D",)), Event("D", LAST + 3, partners=("M",))),
    )
    assert made["unit", "C", "1", LAST + 1] > made["unit", "A", "1", LAST + 1]
    for unit in "BCMD":
        assert made["unit", unit, "all", LAST + 3] == 0
    assert made["unit", "A", "all", LAST + 3] == made["total", "total", "all", LAST + 3]


def test_an_opening_unit_draws_from_its_siblings_and_grows(pupils: pd.DataFrame) -> None:
    opening = [Event("N", LAST + 1 + n, tuple("123"[: n + 1]), parent="P", pupils=30) for n in range(3)]
    plain, made = both(pupils, *opening)
    pd.testing.assert_series_equal(made.xs("parent"), plain.xs("parent"))
    own = made["unit", "N"]
    assert own["1", LAST + 1] == 30
    assert own["2", LAST + 1] == 0
    assert 25 <= own["2", LAST + 2] <= 36
    assert 22 <= own["3", LAST + 3] <= 43
    assert own["all", LAST + 3] == sum(own[g, LAST + 3] for g in "123")
    assert (made["unit", "D"] == plain["unit", "D"]).all()


def test_a_unit_that_adds_and_drops_grades(pupils: pd.DataFrame) -> None:
    plain, made = both(pupils, Event("A", LAST + 1, tuple("123456"), partners=("M",)))
    # Its fifth grade of the last year stays and is no longer in the middle school.
    assert 60 <= made["unit", "A", "6", LAST + 1] <= 96
    lost = plain["unit", "M", "6", LAST + 1] - made["unit", "M", "6", LAST + 1]
    assert lost == made["unit", "A", "6", LAST + 1]
    _, made = both(pupils, Event("D", LAST + 1, tuple("12345"), partners=("M",)))
    assert made["unit", "D", "6", LAST + 1] == 0
    assert made["unit", "D", "5", LAST + 1] > 0


def test_an_origin_uses_only_what_was_known_to_it(pupils: pd.DataFrame) -> None:
    event = Event("B", 2011, partners=("C",), known=2010)
    made = backtest_frame(pupils, None, range(2008, 2013), 3, events=[event])
    plain = backtest_frame(pupils, None, range(2008, 2013), 3)
    early = made["origin"] < 2010
    pd.testing.assert_frame_equal(made[early].drop(columns="event_count"), plain[early])
    own = made[(made["unit"] == "B") & (made["grade"] == "all")].set_index(["origin", "year"])["forecast"]
    assert (own[2010] == 0).all()
    # Once it should have happened, the enrollment itself says whether it did.
    assert (own[2011] > 0).all()


def test_a_file_of_events_is_read_and_its_errors_name_the_line(tmp_path: Path, pupils: pd.DataFrame) -> None:
    panel = build_panel(pupils)
    path = tmp_path / "events.csv"
    path.write_text(
        "unit,year,event,successor_unit,parent_unit,grades,pupils,known_year\n"
        "B,2014,close,A;C,,,,\n\nN,2013,open,,P,1-3,25,2010\n"
    )
    assert read_events(path, panel) == [
        Event("B", 2014, partners=("A", "C"), known=LAST),
        Event("N", 2013, ("1", "2", "3"), parent="P", pupils=25.0, known=2010),
    ]
    for line, column in (
        ("B,2014,burn,,,,,", "event"),
        ("X,2014,close,,,,,", "unit"),
        ("B,2014,close,X,,,,", "successor_unit"),
        ("B,x,close,,,,,", "year"),
        ("N,2014,open,,P,9-12,,", "grades"),
        ("N,2014,open,,P,,,", "grades"),
        ("N,2014,open,,P,1,many,", "pupils"),
    ):
        path.write_text("unit,year,event,successor_unit,parent_unit,grades,pupils,known_year\n" + line + "\n")
        with pytest.raises(InputError) as error:
            read_events(path, panel)
        assert (error.value.file, error.value.line, error.value.column) == (str(path), 2, column)


def test_command_takes_events(tmp_path: Path, pupils: pd.DataFrame) -> None:
    told, known, out = tmp_path / "e.csv", tmp_path / "events.csv", tmp_path / "f.csv"
    pupils.to_csv(told, index=False)
    known.write_text("unit,year,event,successor_unit\nB,2013,close,C\n")
    words = ["forecast", "--enrollment", str(told), "--events", str(known), "--output", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    made = pd.read_csv(out)
    closed = made[(made["level"] == "unit") & (made["unit"] == "B")]
    assert (closed[["forecast", *BOUNDS]] == 0).all(axis=None)
    assert list(made.columns)[-1] == "event_count"


def test_projects_and_changes_of_the_senders_become_events() -> None:
    day = date(2025, 11, 20)
    units = pd.DataFrame(
        {
            "school": ["S1", "S2", "S3", "T1"],
            "district": ["D", "D", "D", "E"],
            "area": ["D/north", "D/north", "D/south", "E/(none)"],
        }
    )
    places = pd.DataFrame(
        {"school_code": ["S1", "S2", "S3", "T1"], "grade_key": "4", "place_count": [60, 40, 80, 90]}
    )
    projects = pd.DataFrame(
        [
            ("NEW", "D", "north", "primary", 300, date(2026, 9, 1), None, "building", "new"),
            ("LATE", "D", "west", "primary", 600, date(2025, 9, 1), date(2027, 9, 1), "building", None),
            ("MORE", "D", "north", "primary", 600, date(2026, 9, 1), None, "building", "expansion"),
            ("DONE", "D", "north", "primary", 600, date(2024, 9, 1), None, "opened", "new"),
        ],
        columns=[
            *("project_code", "district_code", "area_name", "stage_code", "place_count"),
            *("planned_opening_date", "expected_opening_date", "project_status_code", "project_kind_code"),
        ],
    )
    shares = np.array([0.6, 0.5, 0.4])
    span = {"primary": ["4", "5", "6"]}
    found = coming.openings(projects, places, units, span, shares, day, range(2026, 2029))
    new = [e for e in found if e.unit == "NEW"]
    assert [(e.year, e.grades) for e in new] == [(2026, ("4",)), (2027, ("4", "5")), (2028, ("4", "5", "6"))]
    assert {e.partners for e in new} == {("S1", "S2")}
    # Half of the area's places of the grade, times the chance that it is open by then.
    assert [round(e.share or 0, 3) for e in new] == [0.3, 0.4, 0.44]
    late = [e for e in found if e.unit == "LATE"]
    assert [e.year for e in late] == [2027, 2028]
    assert {e.partners for e in late} == {("S1", "S2", "S3")}
    assert {e.unit for e in found} == {"NEW", "LATE"}
    changes = pd.DataFrame(
        [
            ("S1", "S2", "merge", date(2026, 9, 1), date(2025, 10, 1)),
            ("S1", "S3", "merge", date(2027, 9, 1), date(2025, 11, 1)),
            ("S2", "S2", "rename", date(2026, 9, 1), date(2025, 10, 1)),
            ("S3", None, "close", date(2025, 9, 1), date(2025, 9, 11)),
            # none of these ends a school
            ("S2", None, "rename", date(2027, 9, 1), date(2025, 10, 1)),
            ("S2", None, "move", date(2027, 9, 1), date(2025, 10, 1)),
            ("S2", "S2", "split", date(2027, 9, 1), date(2025, 10, 1)),
        ],
        columns=["from_school_code", "to_school_code", "change_kind_code", "change_date", "stated_on"],
    )
    register = pd.DataFrame({"school_code": ["S1", "T1"], "closed_date": [None, date(2026, 8, 31)]})
    assert coming.closings(changes, register, units, 2025) == [
        Event("S1", 2027, partners=("S3",)),
        Event("T1", 2026),
    ]


def test_the_past_of_merged_and_recoded_schools_goes_on_under_their_heirs() -> None:
    counts = pd.DataFrame(
        [
            *(("A", "P", 2023, 1, 30), ("B", "P", 2023, 1, 20), ("C", "Q", 2023, 1, 5)),
            *(
                ("B", "P", 2024, 1, 25),
                ("C", "Q", 2024, 1, 6),
                ("N", "Q", 2025, 1, 70),
                ("C", "Q", 2025, 1, 7),
            ),
        ],
        columns=["unit", "parent_unit", "year", "grade", "enrollment"],
    )
    changes = pd.DataFrame(
        [
            # A was merged into B, and B has another code now; C is to be closed, and stands.
            ("A", "B", "merge", date(2024, 9, 1), date(2024, 9, 11)),
            ("B", "N", "recode", date(2025, 9, 1), date(2025, 9, 11)),
            ("C", "N", "merge", date(2026, 9, 1), date(2025, 9, 11)),
        ],
        columns=["from_school_code", "to_school_code", "change_kind_code", "change_date", "stated_on"],
    )
    made = coming.continued(counts, changes)
    found = made.set_index(["unit", "parent_unit", "year"])["enrollment"].to_dict()
    assert found == {
        ("N", "Q", 2023): 50,
        ("N", "Q", 2024): 25,
        ("N", "Q", 2025): 70,
        ("C", "Q", 2023): 5,
        ("C", "Q", 2024): 6,
        ("C", "Q", 2025): 7,
    }
    build_panel(made)
    # A successor without pupils is no successor, and two that name each other do not go round.
    gone = changes.assign(to_school_code=["B", "A", "N"])
    assert set(coming.continued(counts, gone)["unit"]) == {"A", "B", "C", "N"}


def test_who_took_the_pupils_of_a_closed_school_had_them_before_too() -> None:
    counts = pd.DataFrame(
        [
            *(("A", "P", 2024, 1, 60), ("B", "P", 2024, 1, 20), ("C", "P", 2024, 1, 40)),
            # A grade that nobody else taught, and a school of another district.
            *(("C", "P", 2024, 2, 9), ("D", "Q", 2024, 1, 50)),
            *(("A", "P", 2025, 1, 90), ("B", "P", 2025, 1, 30), ("D", "Q", 2025, 1, 50)),
        ],
        columns=["unit", "parent_unit", "year", "grade", "enrollment"],
    )
    changes = pd.DataFrame(
        [("C", None, "close", date(2025, 8, 31), date(2025, 9, 11))],
        columns=["from_school_code", "to_school_code", "change_kind_code", "change_date", "stated_on"],
    )
    found = coming.continued(counts, changes).set_index(["unit", "year", "grade"])["enrollment"].to_dict()
    assert found == {
        ("A", 2024, 1): 90,
        ("B", 2024, 1): 30,
        ("C", 2024, 2): 9,
        ("D", 2024, 1): 50,
        ("A", 2025, 1): 90,
        ("B", 2025, 1): 30,
        ("D", 2025, 1): 50,
    }
    # Who has pupils still is not closed, whatever is said of it; and who is to close has its own past.
    open_still = pd.concat([counts, pd.DataFrame([("C", "P", 2025, 1, 1)], columns=counts.columns)])
    assert len(coming.continued(open_still, changes)) == len(open_still)
    later = changes.assign(change_date=date(2026, 8, 31))
    assert coming.continued(counts, later).equals(counts)


def test_a_school_that_moved_is_counted_where_it_stands_in_every_year_that_is_known() -> None:
    names = ["unit", "parent_unit", "year", "grade", "enrollment"]
    rows = [
        *(("M", "X", 2019, 4, 30), ("M", "X", 2020, 5, 31), ("M", "Y", 2021, 6, 32), ("M", "Z", 2023, 6, 33)),
        *(
            ("N", "X", 2019, 4, 50),
            ("N", "X", 2023, 4, 51),
            ("gone", "X", 2019, 4, 9),
            ("new", "Y", 2023, 4, 7),
        ),
    ]
    counts = pd.DataFrame(rows, columns=names)
    parents = {
        year: dict(zip(zip(found["unit"], found["year"], strict=True), found["parent_unit"], strict=True))
        for year in (2020, 2022, 2023)
        if len(found := coming.settled(counts, year)) == len(counts)
    }
    stay = {("N", 2019): "X", ("N", 2023): "X", ("gone", 2019): "X", ("new", 2023): "Y"}
    assert parents == {
        2020: stay | {("M", 2019): "X", ("M", 2020): "X", ("M", 2021): "Y", ("M", 2023): "Z"},
        2022: stay | {("M", 2019): "Y", ("M", 2020): "Y", ("M", 2021): "Y", ("M", 2023): "Z"},
        2023: stay | {("M", year): "Z" for year in (2019, 2020, 2021, 2023)},
    }
    assert coming.settled(counts, 2023)["enrollment"].tolist() == counts["enrollment"].tolist()
