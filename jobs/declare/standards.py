"""Dated settings of the places service: class sizes, premises, delays of projects, warning levels."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from jobs.settings import ROOT, UserError

FOLDER = ROOT / "expectations" / "standards" / "places"


def in_force(name: str, day: date, folder: Path = FOLDER) -> pd.DataFrame:
    """Rows of `<name>.csv` that hold on a day, in the file's order. Raises UserError where none does."""
    path = folder / f"{name}.csv"
    rows = pd.read_csv(path)
    first, last, on = pd.to_datetime(rows["valid_from"]), pd.to_datetime(rows["valid_to"]), pd.Timestamp(day)
    found = rows[(first <= on) & (last.isna() | (last > on))].reset_index(drop=True)
    if found.empty:
        raise UserError(
            f"{path.name} has no row for {day}.", f"Add rows that are valid on that day to {path}."
        )
    return found


def class_sizes(day: date) -> dict[str, int]:
    """Most pupils a class of each grade."""
    rows = in_force("class_size", day)
    return dict(zip(rows["grade_key"], rows["pupils_per_class"].astype(int), strict=True))
