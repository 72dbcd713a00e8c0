"""The bulletin of a faultless city prints what its districts hand in: pupils, schools, full-time teachers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from jobs import declare
from jobs.declare import codes
from jobs.reading import reader
from synthetic.city.bulletins import published_on
from synthetic.city.write import CitySummary

City = tuple[Path, CitySummary]
Key = tuple[str, int, str]
DISTRICTS = 16


def rows(landing: Path, dataset: str, pattern: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """The rows of a dataset's files, coded, under our names."""
    contract = declare.load()[dataset]
    known = {c.name: codes.spellings_of(c) for c in contract.columns if c.codes and c.type != "bool"}
    for file in sorted(landing.glob(f"{contract.feed}/*/{pattern}")):
        reading = reader.read(file, [contract])
        for _, cells in reading.lines:
            row = {name: cells[at].strip() for name, at in reading.positions.items() if at < len(cells)}
            yield file, {name: known.get(name, {}).get(text, text) for name, text in row.items()}


def published(landing: Path) -> dict[Key, dict[str, str]]:
    found = {}
    for _, row in rows(landing, "control_total", "*/北京市教育事业统计公报_*"):
        found[row["unit_code"], int(row["school_year_start"][:4]), row["stage_code"]] = row
    return found


def test_the_newest_bulletin_is_that_of_the_last_spring(faultless: City) -> None:
    files = sorted(faultless[0].glob("district_statistics/110000/*/北京市教育事业统计公报_*"))
    assert [file.parent.name for file in files] == ["2024-03-28_1", "2025-03-28_1"]
    printed = published(faultless[0])
    assert {year for _, year, _ in printed} == set(range(2015, 2025))
    assert published_on(2025) > date.fromisoformat(faultless[1].newest_delivery)
    assert len(printed) == (DISTRICTS + 1) * 4 * 10


def test_districts_add_up_to_the_city(faultless: City) -> None:
    printed = published(faultless[0])
    sums: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    counts = ("published_school_count", "published_pupil_count", "published_teacher_count")
    for (unit, year, stage), row in printed.items():
        if unit != "city":
            sums[year, stage].update({name: int(row[name]) for name in counts})
    assert len(sums) == 40
    for (year, stage), parts in sums.items():
        assert {name: int(printed["city", year, stage][name]) for name in counts} == parts


def test_it_prints_what_districts_hand_in(faultless: City) -> None:
    landing = faultless[0]
    printed = published(landing)
    stages = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    pupils: Counter[Key] = Counter()
    for _, row in rows(landing, "grade_return", "*/分年级在校生数_*"):
        key = row["parent_unit_code"], int(row["school_year_start"][:4]), stages[row["grade_key"]]
        pupils[key] += int(row["pupil_count"])
    # Who teaches in two schools stands in the register twice.
    teachers: dict[Key, set[str]] = defaultdict(set)
    for file, row in rows(landing, "staff_register", "*/教职工名册_2024*"):
        if row["staff_post_code"] == "teacher":
            teachers[file.parent.parent.name, 2024, row["stage_code"]].add(row["id_document_number"])
    kinds = {row["code"]: row["stage_code"] for row in declare.code_list("school_type_prefix").rows}
    schools: Counter[Key] = Counter()
    for _, row in rows(landing, "school_register", "*/学校名录_2024*"):
        if not row.get("closed_date"):
            schools[row["district_code"], 2024, kinds[row["school_type_code"]]] += 1
    compared = 0
    for key, row in printed.items():
        if key[0] != "city":
            assert int(row["published_pupil_count"]) == pupils[key], key
            compared += 1
            if key[1] == 2024:
                assert int(row["published_teacher_count"]) == len(teachers[key]), key
                assert int(row["published_school_count"]) == schools[key], key
    assert compared == DISTRICTS * 4 * 10
