"""The files that `./edulake evaluation balance` writes: verdicts by district and indicator, and by school."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jobs import cells
from jobs.decide.evaluation.balance.resource import Balance, Coefficient
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import COMPOSITE
from jobs.decide.evaluation.balance.values import FAIL, NOT_APPLICABLE, SchoolVerdict
from jobs.files import OUTPUT_MODE, replacing
from jobs.settings import writing

VERDICTS = (
    *("district", "stage", "indicator", "mean", "coefficient_of_variation", "threshold"),
    *("schools", "schools_below", "verdict"),
)
DIGITS = 12


def verdict_rows(balance: Balance) -> Iterator[tuple[Any, ...]]:
    """Rows of the columns `VERDICTS`. The composite of 2012 has its own limit as threshold."""
    for row in balance.coefficients:
        threshold = row.limit if row.indicator_code == COMPOSITE else row.threshold
        yield (
            row.district,
            row.stage,
            row.indicator_code,
            shown(row.mean),
            shown(row.coefficient),
            shown(threshold),
            row.school_count,
            row.below_count,
            row.verdict,
        )


def school_columns(balance: Balance) -> tuple[str, ...]:
    """The columns of the file of schools."""
    return (
        *("district", "school", "stage", "pupils", *balance.standard.indicators),
        *("met_count", "lowest_share_of_threshold", "verdict"),
    )


def school_rows(balance: Balance) -> Iterator[tuple[Any, ...]]:
    """Rows of `school_columns`. Values of a school that is left out are empty."""
    for verdict in balance.schools:
        school = verdict.school
        values = (verdict.values.get(code) for code in balance.standard.indicators)
        yield (
            school.district,
            school.school,
            school.stage,
            school.pupils,
            *(shown(value.value) if value else None for value in values),
            verdict.met_count,
            shown(verdict.lowest_share),
            verdict.verdict,
        )


def write(path: Path, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Write a CSV file whole or not at all."""
    with (
        writing(path, of_lake=False),
        replacing(path, OUTPUT_MODE) as fresh,
        fresh.open("w", encoding="utf-8", newline="") as out,
    ):
        cells.write(out, tuple(columns), rows)


class _Shown(float):
    """A float that is written with `DIGITS` digits."""

    def __repr__(self) -> str:
        return f"{float(self):.{DIGITS}g}"

    __str__ = __repr__


def shown(value: float | None) -> float | None:
    """A number as it is written: all digits that count, no noise of floats."""
    return None if value is None else _Shown(value)


def money(yuan: Number) -> int | float:
    """Yuan as they are written: whole where they are whole."""
    return yuan.numerator if yuan.denominator == 1 else float(yuan)


def summary(balance: Balance) -> list[tuple[Any, ...]]:
    """One row a district and stage: schools, those that fail, the widest coefficient, failing indicators."""
    groups: dict[tuple[str, str], tuple[list[Coefficient], list[SchoolVerdict]]] = {}
    for row in balance.coefficients:
        groups.setdefault((row.district, row.stage), ([], []))[0].append(row)
    for verdict in balance.schools:
        groups[verdict.school.district, verdict.school.stage][1].append(verdict)
    return [(*key, *_summed(rows, schools)) for key, (rows, schools) in groups.items()]


def _summed(rows: list[Coefficient], schools: list[SchoolVerdict]) -> tuple[Any, ...]:
    failing = sum(v.verdict == FAIL for v in schools)
    judged = [row for row in rows if row.verdict != NOT_APPLICABLE]
    known = [row for row in judged if row.coefficient is not None]
    widest = max(known, key=lambda row: row.coefficient or 0.0, default=None)
    wide = [row.indicator_code for row in judged if row.verdict == FAIL]
    if failing or wide:
        verdict = FAIL
    else:
        verdict = "pass" if judged or any(v.verdict == "pass" for v in schools) else NOT_APPLICABLE
    return (
        rows[0].school_count,
        failing if any(v.met_count is not None for v in schools) else None,
        f"{widest.coefficient:.3f} {widest.indicator_code}" if widest else None,
        " ".join(wide) or None,
        verdict,
    )
