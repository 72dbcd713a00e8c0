"""Dated standards: the one reader of `expectations/standards/`.

A row holds from its `valid_from` until the day before its `valid_to`; an open `valid_to` has no end. A file
without these columns holds always. A name is a path below the folder, without `.csv`: `places/premises`.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.declare.model import ContractError
from jobs.settings import EXPECTATIONS, UserError

if TYPE_CHECKING:
    import pandas as pd


def file(name: str) -> Path:
    """The file of a standard. Raises ContractError where there is none."""
    path = EXPECTATIONS / "standards" / f"{name}.csv"
    if not path.is_file():
        raise ContractError(f"there is no standard {name}: {path} is missing")
    return path


def rows(name: str, on: date | None = None) -> list[dict[str, str]]:
    """The rows in force on a day (without a day: all rows), as text and in the file's order."""
    found = [dict(row) for row in _all_rows(file(name))]
    if on is None:
        return found
    day = on.isoformat()[:10]
    return [r for r in found if r["valid_from"] <= day and (not r["valid_to"] or day < r["valid_to"])]


def frame(name: str, on: date | None = None, *, needed: bool = False) -> pd.DataFrame:
    """The same rows as a table with numbers as numbers, the two dates as timestamps, empty cells as null.

    `needed`: raises UserError where no row is in force on that day.
    """
    # Most readers want rows only, and pandas takes half a second to import.
    import pandas as pd

    path = file(name)
    found = pd.read_csv(path)
    for column in {"valid_from", "valid_to"} & set(found.columns):
        found[column] = pd.to_datetime(found[column])
    if on is not None:
        day = pd.Timestamp(on)
        ends = found["valid_to"].isna() | (found["valid_to"] > day)
        found = found[(found["valid_from"] <= day) & ends].reset_index(drop=True)
        if needed and found.empty:
            raise UserError(
                f"no row of {path.name} is in force on {day:%Y-%m-%d}.",
                f"Add a row that is valid on that day to {path}.",
            )
    return found


@cache
def _all_rows(path: Path) -> tuple[dict[str, str], ...]:
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))
