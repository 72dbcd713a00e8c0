"""Series, calendars and answers of the detection as CSV; an error names file, line and column."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa

from jobs.cells import write_table
from jobs.files import OUTPUT_MODE, replacing
from jobs.settings import UserError

# No count of a school is as large; beyond, neighbouring whole numbers are soon no longer told apart.
_TOO_MANY = 1e12
# How programs write a count that is not known.
_UNKNOWN = ("na", "n/a", "#n/a", "nan", "null", "none", ".")
# Our columns as Chinese offices head them.
_HEADINGS = {
    "unit": ("单位", "学校", "学校名称"),
    "date": ("日期", "周", "week"),
    "count": ("人数", "例数", "病例数", "缺勤人数", "cases"),
    "is_open": ("是否上课", "是否开放"),
}
# A day with the year first, an instant at its very beginning, a week by its number.
_DAY = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?)?"
)
_WEEK = re.compile(r"(\d{4})-?[Ww](\d{1,2})")


def read_series(path: Path) -> pd.DataFrame:
    """`unit, date|t, count`; an empty count is missing. Raises UserError with file, line and column."""
    columns, cells = _cells(path, (("unit", "date", "count"), ("unit", "t", "count")))
    _bad(path, cells["unit"] == "", "unit", "empty", "name the unit of each row")
    given = cells["count"].mask(cells["count"].str.casefold().isin(_UNKNOWN), "")
    count = pd.to_numeric(given, errors="coerce")
    wrong = (given != "") & ~((count >= 0) & (count < _TOO_MANY) & (count % 1 == 0))
    _bad(path, wrong, "count", "not a count", "counts are whole numbers, 0 or more; leave unknown ones empty")
    series = pd.DataFrame({"unit": cells["unit"]})
    time = columns[1]
    if time == "date":
        series["date"] = _dates(path, cells["date"])
    else:
        t = pd.to_numeric(cells["t"], errors="coerce")
        _bad(path, ~((t >= 1) & (t % 1 == 0)), "t", "not a step", "number the steps 1 … n")
        series["t"] = t.astype(int)
    series["count"] = count
    _bad(
        path,
        series.duplicated(["unit", time]),
        time,
        "this unit has the step already",
        "keep one row per step: add its counts up",
    )
    return series


def read_calendar(path: Path) -> pd.DataFrame:
    """`date, is_open`. Raises UserError with file, line and column."""
    _, cells = _cells(path, (("date", "is_open"),))
    truth = cells["is_open"].str.lower().map({"1": True, "true": True, "0": False, "false": False})
    _bad(path, truth.isna(), "is_open", "neither open nor closed", "write 1 or 0, true or false")
    days = pd.DataFrame({"date": _dates(path, cells["date"]), "is_open": truth})
    _bad(path, days.duplicated("date"), "date", "this day stands twice", "keep one row per day")
    return days


def check_writable(path: Path) -> None:
    """Raise UserError where the folder of a file to write does not exist."""
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder", "make it, or give another --output")


def write(found: pd.DataFrame, path: Path) -> None:
    """Write the answers of `detect_frame`: dates as text, counts whole; all of the file or nothing."""
    if "date" in found.columns:
        found = found.assign(date=found["date"].dt.strftime("%Y-%m-%d"))
    found = found.assign(count=found["count"].astype("Int64"))
    table = pa.Table.from_pandas(found, preserve_index=False)
    with replacing(path, OUTPUT_MODE) as fresh, fresh.open("wb") as file:
        write_table(table, file)


def _cells(path: Path, columns: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], pd.DataFrame]:
    """All cells as text, indexed by line number; the header must have one of the sets of columns."""
    try:
        # No row is skipped, so that a row's place is its line; blank ones go afterwards.
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8", "save it as UTF-8") from error
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except pd.errors.ParserError as error:
        why = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise UserError(f"{path}: {why}", "give each line the cells of the header") from error
    table.columns = table.columns.astype(str).str.strip()
    ours = {heading: name for name, headings in _HEADINGS.items() for heading in headings}
    table = table.rename(columns={h: n for h, n in ours.items() if n not in table.columns})
    found = next((names for names in columns if set(names) <= set(table.columns)), None)
    if found is None:
        wanted = " or ".join(",".join(names) for names in columns)
        here = ",".join(table.columns) or "none"
        raise UserError(f"{path}, line 1: the columns are {here}", f"give {wanted}")
    _no_short_line(path, table.shape[1])
    cells = table[list(found)].apply(lambda column: column.str.strip())
    cells.index = pd.RangeIndex(2, len(cells) + 2)
    return found, cells[(cells != "").any(axis=1)].copy()


def _no_short_line(path: Path, columns: int) -> None:
    """Refuse a line that breaks off: the reader would fill it with empty cells, which would pass for missing
    counts."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.count(b",") < columns - 1 and b'"' not in line and line.strip():
                raise UserError(
                    f"{path}, line {number}: the line breaks off", "give each line the cells of the header"
                )


def _bad(path: Path, bad: pd.Series, column: str, why: str, way_out: str) -> None:
    if bad.any():
        raise UserError(f"{path}, line {bad.index[bad.to_numpy()][0]}, column {column}: {why}", way_out)


def _dates(path: Path, text: pd.Series) -> pd.Series:
    dates = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    if dates.isna().any():
        dates = pd.to_datetime(text.map(_day), format="%Y-%m-%d", errors="coerce")
    way_out = "write days as 2026-09-01, and a week as its Monday or 2026-W36"
    _bad(path, dates.isna(), "date", "not a date", way_out)
    return dates


def _day(text: str) -> str | None:
    """A day as it may be written, in our form; the Monday of a week. None for what is neither."""
    if found := _DAY.fullmatch(text):
        return "{}-{:0>2}-{:0>2}".format(*found.groups())
    if found := _WEEK.fullmatch(text):
        with suppress(ValueError):
            return date.fromisocalendar(int(found[1]), int(found[2]), 1).isoformat()
    return None
