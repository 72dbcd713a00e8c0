"""What a written city looks like: its own files read back as a receiver reads them, as figures for a page."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs import declare
from jobs.declare import codes
from jobs.reading import reader
from jobs.settings import UserError, command_line
from synthetic.city.faults import KINDS
from synthetic.city.figures import districts
from synthetic.city.ladder import grades

# Schools whose uploads are read for the distributions of fitness: enough to see the shape at any scale.
FITNESS_FILES = 150
ITEMS = ("height_cm", "weight_kg", "run_50m_s", "sit_and_reach_cm", "sit_up_1min_count", "pull_up_count")


@dataclass
class Findings:
    """Counts read from the files of one city, and what its truth tells."""

    summary: dict[str, Any]
    returns: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # year, district, grade
    rolls: Counter[tuple[str, str]] = field(default_factory=Counter)  # grade, sex
    measures: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # item, sex
    fitness_files: tuple[int, int] = (0, 0)  # read, there
    datasets: Counter[str] = field(default_factory=Counter)  # dataset -> files
    containers: Counter[str] = field(default_factory=Counter)
    births: dict[int, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    truths: dict[str, int] = field(default_factory=dict)  # table -> rows


def look(out: Path, truth: Path) -> Findings:
    """Read a written city. Raises UserError where there is none, or where it is not whole."""
    note = truth / "summary.json"
    if not note.is_file():
        raise UserError(
            f"no whole city lies in {out}.",
            f"Write one first: `{command_line('city', '--out', str(out))}`; "
            "the same call finishes one that was broken off.",
        )
    found = Findings(json.loads(note.read_text(encoding="utf-8")))
    last = int(found.summary["years"][1])
    _read_returns(out, found)
    newest: dict[str, Path] = {}  # a roll may come again, or corrected: the last one of a sender counts
    for file in sorted(out.glob(f"enrollment/*/*/在籍学生名册_{last}-{last + 1}-1*")):
        newest[file.parts[-3]] = file
    for file in newest.values():
        for row in _rows(file, "pupil_roll", ("grade_key", "sex_code")):
            found.rolls[row["grade_key"], row["sex_code"]] += 1
    for file in out.glob("place_demand/*/*/出生人口_*"):
        for row in _rows(file, "birth", ("birth_year", "birth_count")):
            year = int(row["birth_year"])
            found.births[year] = found.births.get(year, 0) + int(row["birth_count"])
    _read_fitness(out, last, found)
    for file in out.glob("*/*/*/*"):
        found.containers[file.suffix.lstrip(".")] += 1
        found.datasets[f"{file.parts[-4]}/{file.stem.split('_')[0]}"] += 1
    for table in sorted(truth.glob("*.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        found.truths[table.stem] = len(rows)
        if table.stem in ("faults", "fabrications"):
            found.faults.update(row["kind"] for row in rows)
        elif table.stem == "reporting":
            found.faults.update(row["kind"] for row in rows if KINDS[row["kind"]].unit == "sender")
    for kind in KINDS:
        found.faults.setdefault(kind, 0)
    return found


def _read_returns(out: Path, found: Findings) -> None:
    for file in sorted(out.glob("enrollment/*/*/分年级在校生数_*")):
        district = file.parts[-3]
        for row in _rows(file, "grade_return", ("school_year_start", "grade_key", "pupil_count")):
            if row["pupil_count"].isdigit():
                key = int(row["school_year_start"][:4]), district, row["grade_key"]
                found.returns[key] += int(row["pupil_count"])


def _read_fitness(out: Path, last: int, found: Findings) -> None:
    files = sorted(out.glob(f"physical_fitness/*/*_1/体质健康测试成绩_{last}-*"))
    step = max(1, -(-len(files) // FITNESS_FILES))
    found.fitness_files = (len(files[::step]), len(files))
    for file in files[::step]:
        for row in _rows(file, "test_result", (*ITEMS, "sex_code")):
            for item in ITEMS:
                try:
                    value = float(row.get(item, ""))
                except ValueError:
                    continue  # not tested, or one of the faults
                found.measures.setdefault((item, row["sex_code"]), []).append(value)


def _rows(file: Path, dataset: str, wanted: Sequence[str]) -> Iterator[dict[str, str]]:
    """Some columns of a file by the contract's names: codes as the lake keeps them, the rest as sent."""
    contract = declare.load()[dataset]
    reading = reader.read(file, [contract])
    if reading.contract is None:
        return
    places = [(name, reading.positions[name]) for name in wanted if name in reading.positions]
    coded: dict[str, dict[str, str]] = {}
    for name, _ in places:
        column = contract.column(name)
        if column.codes:
            coded[name] = codes.spellings_of(column)
    for _, cells in reading.lines:
        row = {}
        for name, at in places:
            text = cells[at] if at < len(cells) else ""
            known = coded.get(name)
            if known is None or (code := known.get(text)) is None:
                text = declare.fold(text)
                code = known.get(text, text) if known else text
            row[name] = code
        yield row


def grade_names() -> list[tuple[str, str]]:
    """Key and Chinese name of each grade."""
    return [(grade.key, grade.meaning_zh) for grade in grades()]


def district_names() -> dict[str, str]:
    """Code → Chinese name."""
    return {district.code: district.name_zh for district in districts()}
