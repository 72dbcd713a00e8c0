"""The two inputs of the forecast, checked, and the array they become."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ENROLLMENT_COLUMNS = ("unit", "year", "grade", "enrollment")
BIRTH_COLUMNS = ("unit", "year", "births")
ALL_GRADES = "all"
SUM_GRADES = (ALL_GRADES, "total", "all grades", "all students", "k-12")
NO_PARENT = "(none)"  # units without a parent, in a file that names some
# Words and letters before a number whose order is known; a bare number stands between. K1–K3 come before
# P1–P6, J1–J3 and S1–S3; kindergarten, in any spelling, before grade 1.
_BEFORE = (
    *(
        "PRESCHOOL",
        "PREPRIMARY",
        "NURSERY",
        "N",
        "PREK",
        "PK",
        "PREKINDERGARTEN",
        "RECEPTION",
        "R",
        "JK",
        "SK",
    ),
    *("KINDERGARTEN", "K", "KG", "PREP", "FOUNDATION", "F"),
)
_AFTER = (
    *("PRIMARY", "P", "ELEMENTARY", "STANDARD", "STD", "CLASS", "JUNIOR", "J", "MIDDLE", "FORM"),
    *("SECONDARY", "SENIOR", "S", "HIGH", "HIGHSCHOOL"),
)
_GRADE = re.compile(
    r"(?:grade|year|yr)?[\s._-]*(\D*?)[\s._-]*(\d+(?:\.\d+)?)?(?:st|nd|rd|th)?(?:\s*grade)?", re.I
)


class InputError(ValueError):
    """A line of the input that cannot be used; `file`, `line` (1 = heading) and `column` say where."""

    def __init__(self, problem: str, file: str, line: int | None = None, column: str | None = None) -> None:
        self.problem, self.file, self.line, self.column = problem, file, line, column
        where = file + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{where}: {problem}")


@dataclass(frozen=True)
class Panel:
    """Pupils by year, unit and grade; years run without holes, `in_file` says which were delivered."""

    years: Ints
    in_file: Bools  # [year]
    units: list[str]
    grades: list[str]  # in order of progression
    parents: list[str]  # empty when the file names none
    parent_of: Ints  # [year, unit] index into parents: the last one named up to that year
    pupils: Floats  # [year, unit, grade]
    listed: Bools  # [year, unit] the file has a row
    grade_listed: Bools  # [year, grade] the file has a row
    unit_births: Floats | None  # [year, unit], NaN where unknown
    parent_births: Floats | None  # [year, parent]

    def index_of(self, year: int) -> int | None:
        """Position of a delivered year; None when the file does not have it."""
        position = year - int(self.years[0])
        return position if 0 <= position < len(self.years) and self.in_file[position] else None


def read_enrollment(path: Path) -> pd.DataFrame:
    """Read `unit,parent_unit,year,grade,enrollment` (CSV, may be compressed) as text.
    Row in: unit × year × grade; `parent_unit` may be absent.
    Raises InputError when it is no CSV or a column is missing."""
    return read_rows(path, ENROLLMENT_COLUMNS)


def read_births(path: Path) -> pd.DataFrame:
    """Read `unit,year,births`, `unit` naming units or parents of the enrollment file. Raises InputError."""
    return read_rows(path, BIRTH_COLUMNS)


def read_rows(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV as text; `columns` must be there. Raises InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # fields that would be lost
            frame = pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
                index_col=False,  # a comma at the end of each line is no further column
            )
    except FileNotFoundError as error:
        raise InputError("no such file", str(path)) from error
    except pd.errors.EmptyDataError as error:
        raise InputError("the file is empty", str(path)) from error
    except pd.errors.ParserWarning as error:
        raise InputError("more fields than the heading has", str(path), 2) from error
    except UnicodeDecodeError as error:
        raise InputError("not in UTF-8", str(path), _line_that(path, _is_undecodable)) from error
    except (pd.errors.ParserError, OSError, EOFError, zlib.error) as error:
        found = re.search(r"line (\d+)", str(error))
        raise InputError(str(error).strip(), str(path), int(found[1]) if found else None) from error
    frame.columns = frame.columns.str.strip()
    frame.attrs["file"] = str(path)
    _require(frame, columns, str(path))
    return frame


def _line_that(path: Path, is_bad: Callable[[bytes], bool]) -> int | None:
    """The first bad line of a file that is not compressed."""
    lines = [] if path.suffix.lower() in (".gz", ".bz2", ".xz", ".zip") else path.read_bytes().splitlines()
    return next((number for number, line in enumerate(lines, start=1) if is_bad(line)), None)


def _is_undecodable(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _require(frame: pd.DataFrame, columns: Iterable[str], file: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise InputError(f"the heading has {', '.join(map(str, frame.columns))}", file, 1, column)


def _text(frame: pd.DataFrame, column: str) -> pd.Series:
    values = frame[column]
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # a float column of whole numbers: 9.0 is grade 9
    # A name stands on many lines: clean each once.
    codes, names = pd.factorize(values.astype(object), use_na_sentinel=False)
    clean = np.array(["" if pd.isna(n) else str(n).strip() for n in names], dtype=object)
    return pd.Series(clean[codes], index=frame.index, dtype=object)


def _first(bad: NDArray[np.bool_], frame: pd.DataFrame, column: str, problem: str, file: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(problem, file, int(frame["_line"].iloc[row]), column)


# 2010-11, 2010/2011: the school year that begins in 2010.
_SCHOOL_YEAR = r"^\s*(\d{4})\s*[-/–]\s*(?:\d{2})?(\d{2})\s*$"


def _numbers(frame: pd.DataFrame, column: str, file: str, whole: bool) -> Floats:
    given = frame[column]
    values = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if whole and not np.isfinite(values).all():
        ends = given.astype(str).str.extract(_SCHOOL_YEAR).astype(float)
        spans = ((ends[0] + 1) % 100 == ends[1]).to_numpy()
        values = np.where(spans, ends[0].to_numpy(), values)
    bad = ~np.isfinite(values)
    if bad.any():
        shown = str(given.iloc[int(np.argmax(bad))]).strip()
        _first(bad, frame, column, f"{shown!r} is not a number" if shown else "blank", file)
    if whole:
        _first(values % 1 != 0, frame, column, "not a whole number", file)
    else:
        _first(values < 0, frame, column, "less than zero", file)
    return values


def _checked(frame: pd.DataFrame, key: list[str], value: str, file: str) -> pd.DataFrame:
    """Typed columns of one input; blank lines dropped, every other line used or refused."""
    _require(frame, [*key, value], file)
    frame = frame.assign(_line=np.arange(len(frame)) + 2)
    texts = {c: _text(frame, c) for c in [*key, "parent_unit"] if c != "year" and c in frame.columns}
    kept = ~np.logical_and.reduce([(_text(frame, c) == "").to_numpy() for c in [*key, value]])
    frame = frame[kept]
    if frame.empty:
        raise InputError("the file has no data lines", file)
    typed = pd.DataFrame({c: t[kept] for c, t in texts.items()})
    for column in key:
        if column != "year":
            _first((typed[column] == "").to_numpy(), frame, column, "blank", file)
    typed["year"] = _numbers(frame, "year", file, whole=True).astype(np.int64)
    typed[value] = _numbers(frame, value, file, whole=False)
    twice = typed.duplicated(key).to_numpy()
    _first(twice, frame, key[-1], f"a second line for the same {', '.join(key)}", file)
    typed["_line"] = frame["_line"].to_numpy()
    return typed.reset_index(drop=True)


def grade_order(labels: Iterable[str]) -> list[str]:
    """Labels in order of progression: by number, within stages of the known order, else as they appear.
    Words of no known order and without a number (ungraded) follow."""
    appeared = list(dict.fromkeys(labels))
    parts = {}
    for label in appeared:
        found = _GRADE.fullmatch(label)
        word = re.sub(r"[\s._-]", "", found[1] if found else label).upper()
        parts[label] = word, found[2] if found else None
    unknown = list(dict.fromkeys(w for w, _ in parts.values() if w not in ("", *_BEFORE, *_AFTER)))

    def key(label: str) -> tuple[int, int, float, int]:
        word, number = parts[label]
        if re.fullmatch(r"-\d+", label):  # the years before grade 0 or 1
            return 1, 0, float(label), 0
        if word in _BEFORE:
            rank = 0, _BEFORE.index(word)
        elif word == "P" and not number:  # prep, not the first of P1–P6
            rank = 0, len(_BEFORE)
        elif word in _AFTER:
            rank = 2, _AFTER.index(word)
        elif word:
            rank = (3 if number else 4), unknown.index(word)
        else:
            rank = 1, 0
        return *rank, float(number or 0), appeared.index(label)

    return sorted(appeared, key=key)


def build_panel(enrollment: pd.DataFrame, births: pd.DataFrame | None = None) -> Panel:
    """Check both inputs and lay them out as arrays. A grade without a row counts no pupils.
    Raises InputError: missing column, value that is no number, doubled line, contradictory parents."""
    file = str(enrollment.attrs.get("file", "enrollment"))
    rows = _checked(enrollment, ["unit", "year", "grade"], "enrollment", file)
    lines = rows["_line"]
    sums = rows["grade"].str.casefold().isin(SUM_GRADES).to_numpy()
    _first(sums, rows, "grade", "a sum of grades: leave such lines out, they are made here", file)
    years = np.arange(rows["year"].min(), rows["year"].max() + 1)
    if len(years) > 400:
        odd = int((rows["year"] - rows["year"].median()).abs().to_numpy().argmax())
        raise InputError(f"years from {years[0]} to {years[-1]}", file, int(lines.iloc[odd]), "year")
    by_year = rows.sort_values("year", kind="stable")
    grades = grade_order(by_year["grade"])
    units = sorted(rows["unit"].unique())
    t = (rows["year"] - years[0]).to_numpy()
    u = pd.Categorical(rows["unit"], categories=units).codes.astype(np.int64)
    g = pd.Categorical(rows["grade"], categories=grades).codes.astype(np.int64)
    pupils = np.zeros((len(years), len(units), len(grades)))
    pupils[t, u, g] = rows["enrollment"]
    listed = np.zeros(pupils.shape[:2], dtype=bool)
    listed[t, u] = True
    grade_listed = np.zeros((len(years), len(grades)), dtype=bool)
    grade_listed[t, g] = True
    parents, parent_of = _parents(rows, years, units, t, u, file)
    unit_births, parent_births = _births(births, years, units, parents)
    return Panel(
        years=years,
        in_file=np.asarray(listed.any(axis=1)),
        units=units,
        grades=grades,
        parents=parents,
        parent_of=parent_of,
        pupils=pupils,
        listed=listed,
        grade_listed=grade_listed,
        unit_births=unit_births,
        parent_births=parent_births,
    )


def _parents(
    rows: pd.DataFrame, years: Ints, units: list[str], t: Ints, u: Ints, file: str
) -> tuple[list[str], Ints]:
    if "parent_unit" not in rows.columns or (rows["parent_unit"] == "").all():
        return [], np.zeros((len(years), len(units)), dtype=np.int64)
    names = rows["parent_unit"]
    clash = rows.groupby(["unit", "year"], sort=False)["parent_unit"].transform("first") != names
    _first(
        clash.to_numpy(),
        rows,
        "parent_unit",
        "another parent than on the unit's first line of the year",
        file,
    )
    names = names.replace("", NO_PARENT)
    parents = sorted(names.unique())
    code = pd.Categorical(names, categories=parents).codes.astype(np.int64)
    parent_of = np.full((len(years), len(units)), -1, dtype=np.int64)
    parent_of[t, u] = code
    for i in range(1, len(years)):
        parent_of[i] = np.where(parent_of[i] < 0, parent_of[i - 1], parent_of[i])
    # Before a unit exists it has no pupils: which parent it is put under then changes no number.
    for i in range(len(years) - 2, -1, -1):
        parent_of[i] = np.where(parent_of[i] < 0, parent_of[i + 1], parent_of[i])
    return parents, parent_of


def _births(
    births: pd.DataFrame | None, years: Ints, units: list[str], parents: list[str]
) -> tuple[Floats | None, Floats | None]:
    if births is None:
        return None, None
    file = str(births.attrs.get("file", "births"))
    rows = _checked(births, ["unit", "year"], "births", file)
    found: list[Floats | None] = []
    for names in (units, parents):
        mine = rows[rows["unit"].isin(names)]
        if mine.empty:
            found.append(None)
            continue
        table = mine.pivot(index="year", columns="unit", values="births").reindex(columns=names)
        found.append(table.reindex(index=_birth_years(years)).to_numpy(dtype=float))
    if found[0] is None and found[1] is None:
        first = int(rows["_line"].iloc[0])
        raise InputError("no line names a unit or parent of the enrollment file", file, first, "unit")
    return found[0], found[1]


BIRTH_LOOKBACK = 25


def _birth_years(years: Ints) -> Ints:
    """Births are kept from 25 years before the first school year: nobody enters school older than that."""
    return np.arange(years[0] - BIRTH_LOOKBACK, years[-1] + 1)
