"""The bureau's recheck (抽查复核): classes drawn in each district, tested again by the bureau's testers."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from synthetic.city.figures import districts
from synthetic.city.fitness import Floats
from synthetic.city.identities import pupil_numbers
from synthetic.city.ladder import grades
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.planning import CITY
from synthetic.city.sittings import Sittings
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

# Assumptions: a class in fifteen is rechecked, and a pupil's second measure differs by this much.
RECHECK_CLASS_SHARE = 1 / 15
RECHECKED_SHARE = 0.9  # of the pupils of a class; the others are away that day
_REPEAT = {
    "height": 0.3,
    "weight": 0.4,
    "vital_capacity": 140,
    "run_50m": 0.2,
    "sit_and_reach": 1.3,
    "rope_skip_1min": 8,
    "sit_up_1min": 3,
    "standing_long_jump": 6,
    "pull_up": 0.8,
    "shuttle_run_50x8": 3,
    "run_1000m": 7,
    "run_800m": 6,
}
_COLUMNS = {
    "height": ("身高", 1),
    "weight": ("体重", 1),
    "vital_capacity": ("肺活量", 0),
    "run_50m": ("50米跑", 1),
    "sit_and_reach": ("坐位体前屈", 1),
    "rope_skip_1min": ("一分钟跳绳", 0),
    "sit_up_1min": ("一分钟仰卧起坐", 0),
    "standing_long_jump": ("立定跳远", 0),
    "pull_up": ("引体向上", 0),
    "shuttle_run_50x8": ("50米×8往返跑", 0),
    "run_1000m": ("1000米跑", 0),
    "run_800m": ("800米跑", 0),
}


def recheck(part: Part, first: Sittings) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """Which pupils the bureau's testers saw, and what they read off, by item."""
    roll = first.roll
    rng = stream(part.seed, Stream.RECHECK, part.number, roll.year)
    classes = (roll.school.astype(np.int64) * 15 + roll.grade) * 1000 + roll.klass
    kinds = np.unique(classes)
    wanted = max(1, round(len(kinds) * RECHECK_CLASS_SHARE))
    drawn = rng.choice(kinds, wanted, replace=False)
    tested = ~np.isnan(np.stack(list(first.measures.values()))).all(axis=0)
    rows = np.flatnonzero(np.isin(classes, drawn) & tested & (rng.random(len(roll)) < RECHECKED_SHARE))
    found = {}
    for code, (_, decimals) in _COLUMNS.items():
        values = first.measures[code][rows] + _REPEAT[code] * rng.standard_normal(len(rows))
        if code != "sit_and_reach":
            values = np.maximum(values, 0)
        found[code] = np.round(values, decimals) + 0.0
    return rows, found


def write_recheck(part: Part, first: Sittings) -> None:
    """One file a district and autumn, from the city: what the bureau's testers read off, times in seconds."""
    roll = first.roll
    rows, measures = recheck(part, first)
    if not len(rows):
        return
    codes = [g.fitness_code for g in grades()]
    day = part.newest - timedelta(days=9) if part.is_last else date(roll.year, 12, 20)
    there = roll.take(rows)
    cells: list[list[Cell]] = []
    for code, (_, decimals) in _COLUMNS.items():
        values = measures[code].tolist()
        cells.append([None if v != v else (int(v) if decimals == 0 else v) for v in values])
    lines: list[list[Cell]] = [
        [
            part.schools.codes[school],
            codes[grade],
            f"{codes[grade]}{klass:02d}",
            number,
            "1" if male else "2",
            day.isoformat(),
            *values,
        ]
        for school, grade, klass, number, male, *values in zip(
            there.school.tolist(),
            there.grade.tolist(),
            there.klass.tolist(),
            pupil_numbers(part.people, there.person, roll.year, 1),
            part.people.is_male[there.person].tolist(),
            *cells,
            strict=True,
        )
    ]
    headings = [
        "学校标识码",
        "年级编号",
        "班级编号",
        "学籍号",
        "性别",
        "抽查日期",
        *(h for h, _ in _COLUMNS.values()),
    ]
    place = districts()[part.number].code
    name = f"抽查复核_{place}_{roll.year}-{roll.year + 1}.csv"
    received = day + timedelta(days=5)
    part.landing.put(
        "physical_fitness", CITY, received, name, csv_bytes(headings, lines, "utf-8-sig"), len(lines)
    )
