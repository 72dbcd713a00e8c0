"""A school that was parted and one that changed its district: every file says what stood on its day."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from jobs import declare
from jobs.reading import reader
from synthetic.city.figures import YEARS
from synthetic.city.schools import PAST_YEAR, make_schools

from .test_write import City, csv_rows

Returns = Counter[tuple[int, str, str]]  # year, district, school -> pupils


def told(landing: Path, kind: str) -> list[dict[str, str]]:
    with (landing.parent / "truth" / "school_changes.csv").open(encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if row["kind"] == kind]


@pytest.fixture(scope="module")
def returns(faultless: City) -> Returns:
    found: Returns = Counter()
    coded = {row["meaning_zh"]: row["code"] for row in declare.code_list("district").rows}
    for file in sorted(faultless[0].glob("enrollment/*/*/分年级在校生数_*")):
        reading = reader.read(file, declare.datasets_of("enrollment"))
        at = [reading.positions[n] for n in ("school_year_start", "parent_unit_code", "unit_code")]
        for _, cells in reading.lines:
            year, district, school = (cells[n] for n in at)
            district = coded.get(district, district)
            assert district == file.parts[-3]
            found[int(year[:4]), district, school] += int(cells[reading.positions["pupil_count"]])
    return found


def test_the_parted_school_is_counted_until_it_ended_and_its_two_parts_from_then_on(
    faultless: City, returns: Returns
) -> None:
    rows = told(faultless[0], "split")
    old, into = {row["old_school_code"] for row in rows}, [row["school_code"] for row in rows]
    assert (len(old), len(into)) == (1, 2)
    counted = defaultdict(set)
    for year, _, school in returns:
        counted[school].add(year)
    assert counted[old.pop()] == set(range(YEARS[0], PAST_YEAR))
    for code in into:
        assert counted[code] == set(range(PAST_YEAR, YEARS[-1] + 1))
    year_after = [returns[PAST_YEAR, rows[0]["district_code"], code] for code in into]
    assert year_after == sorted(year_after, reverse=True), "the first has most pupils"
    before = returns[PAST_YEAR - 1, rows[0]["district_code"], rows[0]["old_school_code"]]
    assert sum(year_after) == pytest.approx(before, rel=0.25)


def test_the_moved_school_is_counted_by_the_district_whose_it_was(faultless: City, returns: Returns) -> None:
    (row,) = told(faultless[0], "move")
    by_year = {year: district for year, district, school in returns if school == row["school_code"]}
    assert by_year == {
        year: row["old_district_code"] if year < PAST_YEAR else row["district_code"] for year in YEARS
    }


def test_no_pupil_is_lost_or_counted_twice(returns: Returns) -> None:
    whole = make_schools(0.002, 7).pupils.sum(axis=(0, 2)).tolist()
    counted: Counter[int] = Counter()
    for (year, _, _), pupils in returns.items():
        counted[year] += pupils
    assert [counted[year] for year in YEARS] == whole


def test_children_stand_on_the_rolls_of_the_schools_and_districts_of_today(faultless: City) -> None:
    (moved,), parted = told(faultless[0], "move"), told(faultless[0], "split")
    senders = defaultdict(set)
    for file in faultless[0].glob("enrollment/*/*/在籍学生名册_*.csv"):
        for row in csv_rows(file):
            senders[row["学校标识码"]].add(file.parts[-3])
    assert senders[moved["school_code"]] == {moved["district_code"]}
    assert all(senders[row["school_code"]] == {row["district_code"]} for row in parted)
    assert parted[0]["old_school_code"] not in senders


def test_each_change_is_stated_once_by_the_district_that_has_the_school_now(faultless: City) -> None:
    stated = []
    for file in sorted(faultless[0].glob(f"enrollment/*/*/学校变动_{PAST_YEAR}.*")):
        reading = reader.read(file, declare.datasets_of("enrollment"))
        stated += [
            (file.parts[-3], cells[reading.positions["from_school_code"]]) for _, cells in reading.lines
        ]
    rows = [*told(faultless[0], "move"), *told(faultless[0], "split")]
    assert sorted(stated) == sorted({(row["district_code"], row["old_school_code"]) for row in rows})


@pytest.mark.parametrize("scale", [0.001, 0.02])
@pytest.mark.parametrize("seed", range(4))
def test_every_city_has_both_changes(scale: float, seed: int) -> None:
    schools = make_schools(scale, seed)
    assert schools.parted is not None
    assert schools.moved is not None
    assert schools.moved.school not in schools.parted.into
    assert schools.district[schools.moved.school] != schools.moved.district_before
    assert schools.parted.code not in schools.codes
    assert {int(schools.district[s]) for s in schools.parted.into} == {schools.parted.district}
    # Two primary schools where there are any, else the parts of a school of nine years.
    kinds = {schools.kinds[s] for s in schools.parted.into}
    assert kinds == ({"primary"} if scale > 0.01 else {"primary", "junior"})
