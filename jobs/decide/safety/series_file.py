"""Series, calendars and answers of the detection as CSV; an error names file, line and column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from jobs.cells import write_table
from jobs.files import OUTPUT_MODE, replacing
from jobs.settings import UserError

# No count of a school is as large; beyond, neighbouring whole numbers are soon no longer told apart.
_TOO_MANY = 1e12


def read_series(path: Path) -> pd.DataFrame:
    """`unit, date|t, count`; an empty count is missing. Raises UserError with file, line and column."""
    columns, cells = _cells(path, (("unit", "date", "count"), ("unit", "t", "count")))
    _bad(path, cells["unit"] == "", "unit", "empty", "name the unit of each row")
    count = pd.to_numeric(cells["count"], errors="coerce")
    wrong = (cells["count"] != "") & ~((count >= 0) & (count < _TOO_MANY) & (count % 1 == 0))
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
        "keep one row per step",
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
    _bad(path, dates.isna(), "date", "not a date", "write dates as 2026-09-01")
    return dates
