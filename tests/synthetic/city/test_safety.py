"""Illness as the services will see it: a school-day rhythm, a winter, and outbreaks that can be found."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from synthetic.city.calendar import days_of_term, school_days
from synthetic.city.illness import SYMPTOMS, _absent, _classes
from synthetic.city.life import live
from synthetic.city.schools import make_schools
from synthetic.city.write import CitySummary

City = tuple[Path, CitySummary]


def _records(landing: Path, kind: str) -> list[dict[str, str]]:
    """Records under one set of names, whichever the district writes."""
    names = {
        "学校标识码": "school_code",
        "班级": "class",
        "报告日期": "reported_on",
        "症状": "symptom",
        "因病缺勤人数": "absent",
        "事件编号": "incident_code",
        "报告类型": "action",
        "发生日期": "occurred_on",
    }
    found = []
    for file in sorted(landing.glob(f"campus_safety/*/*/{kind}_*.ndjson")):
        for line in file.read_text(encoding="utf-8").splitlines():
            found.append({names.get(k, k): v for k, v in json.loads(line).items()})
    assert found
    return found


def test_reports_are_of_school_days_and_never_nought(city: City) -> None:
    days = school_days()
    for record in _records(city[0], "因病缺勤日报"):
        assert date.fromisoformat(record["reported_on"]) in days
        assert int(record["absent"]) >= 1


def test_one_report_a_school_class_day_and_symptom(city: City) -> None:
    keys = Counter(
        (r["school_code"], r["class"], r["reported_on"], r["symptom"])
        for r in _records(city[0], "因病缺勤日报")
    )
    assert max(keys.values()) == 1


def test_outbreaks_stand_in_the_reports(city: City) -> None:
    absent: dict[tuple[str, str], int] = defaultdict(int)
    for record in _records(city[0], "因病缺勤日报"):
        absent[record["school_code"], record["reported_on"]] += int(record["absent"])
    with (city[0].parent / "truth" / "outbreaks.csv").open(encoding="utf-8") as lines:
        outbreaks = list(csv.DictReader(lines))
    assert len(outbreaks) == city[1].outbreaks
    for outbreak in outbreaks:
        reported = sum(
            count
            for (school, day), count in absent.items()
            if school == outbreak["school_code"] and outbreak["first_day"] <= day <= outbreak["last_day"]
        )
        # A class cannot miss more children of one symptom than it has, so a little may be cut off.
        assert reported >= 0.8 * int(outbreak["extra_absent"]) > 0


@pytest.fixture(scope="module")
def usual() -> tuple[list[date], np.ndarray]:
    """Absence of a whole term in a larger city, without outbreaks: [school, day]."""
    schools = make_schools(0.02, 5)
    classes = _classes(schools, live(schools, (2024, 2024), 5), 2024)
    days = days_of_term(2024, 1)
    everything = np.arange(len(classes.school))
    by_class = _absent(classes, everything, days, np.random.default_rng(5)).sum(axis=2)
    by_school = np.zeros((len(schools), len(days)), int)
    np.add.at(by_school, classes.school, by_class)
    return days, by_school[by_school.sum(axis=1) > 0]


def test_winter_and_mondays_stand_out(usual: tuple[list[date], np.ndarray]) -> None:
    days, counts = usual
    by_day = counts.sum(axis=0)
    month = np.array([d.month for d in days])
    weekday = np.array([d.weekday() for d in days])
    assert by_day[month == 12].mean() > 1.6 * by_day[month == 9].mean()
    assert by_day[weekday == 0].mean() > 1.1 * by_day[(weekday >= 1) & (weekday <= 4)].mean()


def test_counts_vary_more_than_by_chance_alone(usual: tuple[list[date], np.ndarray]) -> None:
    """Poisson counts around school and day would give an index of dispersion of 1."""
    counts = usual[1]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    dispersion = ((counts - expected) ** 2 / expected).mean()
    assert 1.3 < dispersion < 3.0


def test_symptoms_are_codes_of_the_list() -> None:
    from jobs.declare import code_list

    known = code_list("symptom").spellings()
    assert set(SYMPTOMS) <= set(known)
    assert sum(SYMPTOMS.values()) == pytest.approx(1.0)


def test_incidents_open_before_they_close(city: City) -> None:
    order = {"open": 0, "update": 1, "close": 2, "新报": 0, "续报": 1, "结案": 2}
    steps: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for record in _records(city[0], "校园安全事件"):
        assert record["occurred_on"] <= record["reported_on"]
        steps[record["incident_code"]].append((record["reported_on"], order[record["action"]]))
    assert len(steps) == city[1].incidents
    for reports in steps.values():
        assert reports == sorted(reports)
        assert reports[0][1] == 0
        assert len(reports) == len({action for _, action in reports})
