"""The two inputs of the forecast, checked, and the array they become."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.places.input_file import InputError, require

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Years from birth to the lowest grade, or to each grade that births predict.
Lags = int | Mapping[str, int]

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


def _text(frame: pd.DataFrame, column: str) -> pd.Series:
    values = frame[column]
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # a float column of whole numbers: 9.0 is grade 9
    # A name stands on many lines: clean each once.
    codes, names = pd.factorize(values.astype(object), use_na_sentinel=False)
    clean = np.array(["" if pd.isna(n) else str(n).strip() for n in names], dtype=object)
    return pd.Series(clean[codes], index=frame.index, dtype=object)


_COUNT = "Give the count, or your best guess of it: a grade without a line counts no pupils."
_SUMS = "Leave such lines out: sums are made here."


def refuse(
    bad: NDArray[np.bool_],
    frame: pd.DataFrame,
    column: str,
    problem: str,
    file: str,
    way_out: str = "Correct the line.",
) -> None:
    """Raise InputError with the first of the bad lines, and how many there are."""
    if bad.any():
        row, count = int(np.argmax(bad)), int(bad.sum())
        more = f" ({count:,} such lines)" if count > 1 else ""
        raise InputError(problem + more, file, int(frame["_line"].iloc[row]), column, way_out)


# 2010-11, 2010/2011: the school year that begins in 2010.
_SCHOOL_YEAR = r"^\s*(\d{4})\s*[-/–]\s*(?:\d{2})?(\d{2})\s*$"
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_UNIT_BEHIND = re.compile(r"\s*(学年度?|年度?|人|名|个)$")


def _plain(text: str) -> str:
    """A number as written: full-width digits, 1,067, 67人 and 2010学年 are numbers."""
    bare = _UNIT_BEHIND.sub("", unicodedata.normalize("NFKC", text).strip())
    return bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare


def _numbers(frame: pd.DataFrame, column: str, file: str, whole: bool) -> Floats:
    given = frame[column]
    values = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(values).all():
        given = given.astype(str).map(_plain)
        values = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if whole and not np.isfinite(values).all():
        ends = given.str.extract(_SCHOOL_YEAR).astype(float)
        spans = ((ends[0] + 1) % 100 == ends[1]).to_numpy()
        values = np.where(spans, ends[0].to_numpy(), values)
    bad = ~np.isfinite(values)
    if bad.any():
        shown = str(frame[column].iloc[int(np.argmax(bad))]).strip()
        told = f"{shown!r} is not a number" if shown else "blank"
        refuse(bad, frame, column, told, file, "Correct the line." if whole else _COUNT)
    if whole:
        refuse(values % 1 != 0, frame, column, "not a whole number", file)
    else:
        refuse(values < 0, frame, column, "less than zero, perhaps a code for an unknown count", file, _COUNT)
    return values


def checked(frame: pd.DataFrame, key: list[str], value: str, file: str) -> pd.DataFrame:
    """Typed columns of one input, and `_line`; blank lines dropped, every other line used or refused.

    Raises InputError.
    """
    require(frame, [*key, value], file)
    frame = frame.assign(_line=np.arange(len(frame)) + 2)
    texts = {c: _text(frame, c) for c in [*key, "parent_unit"] if c != "year" and c in frame.columns}
    kept = ~np.logical_and.reduce([(_text(frame, c) == "").to_numpy() for c in [*key, value]])
    frame = frame[kept]
    if frame.empty:
        raise InputError("the file has no data lines", file)
    typed = pd.DataFrame({c: t[kept] for c, t in texts.items()})
    for column in key:
        if column != "year":
            refuse((typed[column] == "").to_numpy(), frame, column, "blank", file)
    typed["year"] = _numbers(frame, "year", file, whole=True).astype(np.int64)
    typed[value] = _numbers(frame, value, file, whole=False)
    twice = typed.duplicated(key).to_numpy()
    refuse(twice, frame, key[-1], f"a second line for the same {', '.join(key)}", file, "Keep one of them.")
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
    rows = checked(enrollment, ["unit", "year", "grade"], "enrollment", file)
    lines = rows["_line"]
    sums = rows["grade"].str.casefold().isin(SUM_GRADES).to_numpy()
    refuse(sums, rows, "grade", "a sum of grades", file, _SUMS)
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
    refuse(
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
    rows = checked(births, ["unit", "year"], "births", file)
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
