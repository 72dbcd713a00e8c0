"""The CSV files that a forecast reads, as text, in whatever encoding and with whatever headings."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

ENROLLMENT_COLUMNS = ("unit", "year", "grade", "enrollment")
BIRTH_COLUMNS = ("unit", "year", "births")
# Our columns -> those of the feeds' contracts, whose headings are taken too; and what else analysts write.
_OF_GRADE_RETURN = {
    "unit": "unit_code",
    "parent_unit": "parent_unit_code",
    "year": "school_year_start",
    "grade": "grade_key",
    "enrollment": "pupil_count",
}
_OF_BIRTH = {"unit": "unit_code", "year": "birth_year", "births": "birth_count"}
_ALSO = {
    "unit": ("学校", "学校名称", "学校代码", "单位", "school"),
    "parent_unit": ("所属区", "district"),
    "year": ("年度", "school_year"),
    "enrollment": ("人数", "在校学生数"),
}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_PACKED = (".gz", ".bz2", ".xz", ".zip")


class InputError(ValueError):
    """A line of the input that cannot be used; `file`, `line` (1 = heading) and `column` say where."""

    def __init__(
        self,
        problem: str,
        file: str,
        line: int | None = None,
        column: str | None = None,
        way_out: str = "Correct the file; `--help` says what each column holds.",
    ) -> None:
        self.problem, self.file, self.line, self.column, self.way_out = problem, file, line, column, way_out
        where = file + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{where}: {problem}")


def read_enrollment(path: Path) -> pd.DataFrame:
    """Read `unit,parent_unit,year,grade,enrollment` (CSV, may be compressed) as text.

    Row in: unit × year × grade; `parent_unit` may be absent. The headings of `grade_return` are taken too.
    Raises InputError when it is no CSV or a column is missing.
    """
    return _read(path, ENROLLMENT_COLUMNS, "grade_return", _OF_GRADE_RETURN)


def read_births(path: Path) -> pd.DataFrame:
    """Read `unit,year,births`, `unit` naming units or parents of the enrollment file. Raises InputError."""
    return _read(path, BIRTH_COLUMNS, "birth", _OF_BIRTH)


def read_rows(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV as text; `columns` must be there. Raises InputError."""
    return _read(path, columns, None, {})


def require(frame: pd.DataFrame, columns: Iterable[str], file: str) -> None:
    """Raise InputError for the first of the columns that the frame lacks."""
    for column in columns:
        if column not in frame.columns:
            raise InputError(
                f"there is no such column; the heading has {', '.join(map(str, frame.columns))}",
                file,
                1,
                column,
                f"Name the columns in the first line: {','.join(columns)}",
            )


def _read(
    path: Path, columns: tuple[str, ...], dataset: str | None, named: Mapping[str, str]
) -> pd.DataFrame:
    file = str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # fields that would be lost
            frame = _parsed(path)
    except FileNotFoundError as error:
        raise InputError("no such file", file, way_out="Check the name that was given.") from error
    except IsADirectoryError as error:
        raise InputError("is a folder", file, way_out="Give the name of a CSV file.") from error
    except pd.errors.EmptyDataError as error:
        raise InputError(
            "the file is empty", file, way_out=f"The first line names the columns: {','.join(columns)}"
        ) from error
    except pd.errors.ParserWarning as error:
        raise InputError("more fields than the heading has", file, 2) from error
    except (pd.errors.ParserError, OSError, EOFError, zlib.error) as error:
        found = re.search(r"line (\d+)", str(error))
        raise InputError(str(error).strip(), file, int(found[1]) if found else None) from error
    frame.columns = frame.columns.str.strip()
    frame = frame.rename(columns=_ours(frame.columns, dataset, named)) if dataset else frame
    frame.attrs["file"] = file
    require(frame, columns, file)
    return frame


def _parsed(path: Path) -> pd.DataFrame:
    is_packed = path.suffix.lower() in _PACKED
    data = b"" if is_packed else path.read_bytes()
    if data.startswith(_WORKBOOKS):
        raise InputError(
            "is a workbook, not a CSV", str(path), way_out="Save its sheet as “CSV UTF-8” and give that file."
        )
    source: Path | io.StringIO = path if is_packed else io.StringIO(_decoded(data, path), newline="")
    first = "" if is_packed else data.partition(b"\n")[0].decode("utf-8", "replace")
    try:
        return pd.read_csv(
            source,
            sep=max(",;\t", key=first.count),
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            skip_blank_lines=False,
            index_col=False,  # a comma at the end of each line is no further column
        )
    except UnicodeDecodeError as error:
        raise InputError("not in UTF-8", str(path), way_out="Save it as “CSV UTF-8”.") from error


def _decoded(data: bytes, path: Path) -> str:
    """UTF-8, with a mark or not, UTF-16 with one, or Chinese in GB 2312. Raises InputError with the line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            # Not the larger GB 18030: most texts in Western encodings would pass for it.
            return data.decode("gb2312")
        except UnicodeDecodeError:
            line = data[: error.start].count(b"\n") + 1
            raise InputError("not in UTF-8", str(path), line, way_out="Save it as “CSV UTF-8”.") from error


def _ours(header: Iterable[str], dataset: str, named: Mapping[str, str]) -> dict[str, str]:
    """Heading as written -> our name, for columns that do not stand under our own."""
    written = list(header)
    missing = [name for name in named if name not in written]
    if not missing:
        return {}
    from jobs import declare

    contract = declare.load()[dataset]
    found: dict[str, str] = {}
    for name in missing:
        known = next((c.headings for c in contract.columns if c.name == named[name]), ())
        keys = {declare.heading_key(heading) for heading in (*known, *_ALSO.get(name, ()))}
        fitting = [h for h in written if declare.heading_key(h) in keys and h not in found and h not in named]
        if fitting:
            found[fitting[0]] = name
    return found
