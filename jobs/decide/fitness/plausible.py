"""Usual and possible results by sex and grade, from the standard's ladders and a growth reference.

`python -m jobs.decide.fitness.plausible` writes `expectations/standards/fitness/plausible.csv`; a test
compares.
`SOURCES.md` beside it says what is ours and not the source's.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from jobs.declare import standards

HEADER = (
    "column_name,sex_code,fitness_grade_code,ask_from,ask_to,refuse_from,refuse_to,valid_from,valid_to,source"
)

# Standard deviations from the median: asked about beyond the first, not believed above the second. Nobody
# is refused for being small: children with a growth disorder are real.
_ASK_Z, _REFUSE_Z = 3.0, 10.0
# The growth reference is of 2005: medians since then (urban boys and girls, 2005-2010-2014-2019), at most.
_TALLER_CM = {"1": 1.0 + 1.0 + 1.7, "2": 0.9 + 0.9 + 1.2}
_HEAVIER_KG = {"1": 1.3 + 1.7 + 2.5, "2": 0.9 + 1.3 + 2.3}
# A percentile of 97 lies this many standard deviations above the median.
_P97_Z = 1.881


def rows() -> list[dict[str, str]]:
    """One row per column, sex and grade, in that order; a bound is empty where the reference gives none."""
    found = [*_body(), *_items()]
    return sorted(found, key=lambda r: (r["column_name"], r["sex_code"], int(r["fitness_grade_code"])))


def _body() -> Iterator[dict[str, str]]:
    growth = {(r["sex_code"], int(r["age_years"])): r for r in standards.rows("fitness/growth_2005")}
    for grade in standards.rows("fitness/2014/grades"):
        code = int(grade["grade_code"])
        # Pupils are six by 31 August of the year they enter; who is older stays longer in the table of 18.
        year = {1: 0, 2: 6, 3: 9, 4: 12}[code // 10] + code % 10
        ages = [min(year + 5, 18), min(year + 6, 18)]
        for sex in ("1", "2"):
            young, old = (growth[sex, age] for age in ages)
            tall, spread = float(old["height_p50_cm"]) + _TALLER_CM[sex], float(old["height_sd_cm"])
            short = float(young["height_p50_cm"]) - _ASK_Z * float(young["height_sd_cm"])
            yield _row(
                "height_cm", sex, code, short, tall + _ASK_Z * spread, None, tall + _REFUSE_Z * spread,
                1, "Li 2009 growth reference",
            )  # fmt: skip
            heavy = float(old["weight_p50_kg"])
            up = math.log(float(old["weight_p97_kg"]) / heavy) / _P97_Z
            light = float(young["weight_p50_kg"])
            down = math.log(light / float(young["weight_p3_kg"])) / _P97_Z
            heavy += _HEAVIER_KG[sex]
            yield _row(
                "weight_kg", sex, code, light * math.exp(-_ASK_Z * down), heavy * math.exp(_ASK_Z * up),
                None, heavy * math.exp(_REFUSE_Z * up), 1, "Li 2009 growth reference",
            )  # fmt: skip


def _items() -> Iterator[dict[str, str]]:
    """Bounds of an item: half the range of 10 to 100 points beyond both ends, and the last bonus step."""
    names = {r["item_code"]: (r["column_name"], int(r["decimals"])) for r in standards.rows("fitness/items")}
    bonus: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for r in standards.rows("fitness/2014/bonus"):
        bonus[r["item_code"], r["sex_code"], r["grade_codes"]].append(float(r["threshold"]))
    ladders: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for r in standards.rows("fitness/2014/scoring"):
        if r["threshold"]:
            ladders[r["item_code"], r["sex_code"], r["grade_codes"]].append(float(r["threshold"]))
    for (item, sex, codes), steps in ladders.items():
        column, decimals = names[item]
        beyond = (max(steps) - min(steps)) / 2
        every = steps + bonus[item, sex, codes]
        low, high = min(every) - beyond, max(every) + beyond
        if item != "sit_and_reach":
            low = max(low, 0)
        for code in codes.split("|"):
            yield _row(column, sex, int(code), low, high, None, None, decimals, "scoring ladder")


def _row(
    column: str,
    sex: str,
    grade: int,
    ask_from: float,
    ask_to: float,
    refuse_from: float | None,
    refuse_to: float | None,
    decimals: int,
    source: str,
) -> dict[str, str]:
    numbers = ["" if n is None else f"{n:.{decimals}f}" for n in (ask_from, ask_to, refuse_from, refuse_to)]
    first = min(date.fromisoformat(r["valid_from"]) for r in standards.rows("fitness/editions"))
    cells = [column, sex, str(grade), *numbers, first.isoformat(), "", source]
    return dict(zip(HEADER.split(","), cells, strict=True))


def write() -> None:
    """Write `expectations/standards/fitness/plausible.csv`."""
    lines = [HEADER, *(",".join(row.values()) for row in rows())]
    standards.file("fitness/plausible").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    write()
