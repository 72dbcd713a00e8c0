"""An enrollment file as offices keep it, made ready for the forecast; what was taken for what is told.

Grades of one meaning become one grade. Sums among the lines, known by their names or by their counts, are
refused, since they would count pupils twice. A year without pupils between years with some is unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pandas as pd

from jobs.decide.places.panel import Lags, checked, refuse
from jobs.declare import EXPECTATIONS, grades_of_no_list, same_grades
from jobs.files import parse_yaml

KEY = ["unit", "year", "grade"]
_SUMS = "Leave such lines out: sums are made here."
# So many counts that equal the sum of the others are no chance.
_LEAST_EQUAL = 4
# A sum has at least two parts.
_LEAST_PARTS = 2
_MOST_NAMED = 3
_NOISE = re.compile(r"[\s()（）\[\]【】:：*_–.、。-]")


def tidied(enrollment: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows for the forecast, as text and as many as were given, and remarks on how they are taken.

    Row in: unit × year × grade, as `input_file.read_enrollment` gives them. Lines that are left out are
    blank. Raises InputError with file, line and column.
    """
    file = str(enrollment.attrs.get("file", "enrollment"))
    frame, remarks = _with_one_name_a_grade(enrollment)
    rows = checked(frame, KEY, "enrollment", file)
    _refuse_sums(rows, file)
    remarks += [
        *_strange_grades(rows),
        *_fractions(rows),
        *_parents_among_units(rows),
        *_alike(rows["unit"].unique()),
    ]
    of_year = rows.groupby("year")["enrollment"].sum()
    counted = [int(year) for year in of_year.index if of_year[year] > 0] or [0]
    idle = [int(y) for y in of_year.index if of_year[y] == 0 and counted[0] < y < counted[-1]]
    if idle:
        frame = frame.copy()
        frame.iloc[(rows.loc[rows["year"].isin(idle), "_line"] - 2).to_numpy()] = ""
        remarks.append(f"{_listed(idle)}: no pupils at all: taken as unknown, not as zero")
    if absent := sorted(set(range(int(of_year.index[0]), int(of_year.index[-1]))) - set(of_year.index)):
        remarks.append(f"{_listed(absent)}: not in the file: taken as unknown, not as zero")
    return frame, [*remarks, *_holes(rows[~rows["year"].isin(idle)])]


def births_told(births: pd.DataFrame, enrollment: pd.DataFrame, entry_lag: Lags, horizon: int) -> list[str]:
    """Remarks on births that the forecast of entries needs and does not have. Raises InputError."""
    lags = [entry_lag] if isinstance(entry_lag, int) else list(entry_lag.values())
    rows = checked(births, ["unit", "year"], "births", str(births.attrs.get("file", "births")))
    pupils = checked(enrollment, KEY, "enrollment", str(enrollment.attrs.get("file", "enrollment")))
    known = {*pupils["unit"], *pupils.get("parent_unit", ())}
    strangers = sorted(set(rows["unit"]) - known)
    remarks = []
    if strangers:
        remarks.append(f"births of {_listed(strangers)}: no unit or parent of the enrollment, so left aside")
    last = int(pupils["year"].max())
    schooled = {int(year) - lag for year in pupils["year"].unique() for lag in lags}
    needed = range(last + 1 - max(lags), last + 1 - min(lags) + horizon)
    for unit, own in rows[rows["unit"].isin(known)].groupby("unit"):
        given = dict(zip(own["year"].astype(int), own["births"], strict=True))
        if lacking := [year for year in needed if year not in given]:
            remarks.append(
                f"births of {unit}: none for {_listed(lacking)}, which later entries need: estimated from"
                " the trend of earlier years"
            )
        if len(both := schooled & given.keys()) < len(schooled):
            remarks.append(f"births of {unit}: known for the entries of {len(both)} of {len(schooled)} years")
        positive = [year for year, count in given.items() if count > 0]
        empty = [year for year, count in given.items() if count == 0 and positive and min(positive) < year]
        if empty:
            remarks.append(f"births of {unit}: 0 in {_listed(sorted(empty))}: is that known, or not counted?")
    return remarks


def _with_one_name_a_grade(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give grades of one meaning the name that the newest year has for them."""
    if "grade" not in rows or "year" not in rows:
        return rows, []
    named = rows["grade"].astype(str).str.strip()
    newest = rows["year"].astype(str).str.strip().sort_values(ascending=False, kind="stable").index
    one = same_grades(dict.fromkeys(label for label in named[newest] if label))
    merged = [f"{label} → {name}" for label, name in one.items() if label != name]
    remarks = [f"grades of one meaning are one grade: {_listed(merged)}"] if merged else []
    attributes = rows.attrs
    rows = rows.assign(grade=named.map(lambda label: one.get(label, label)))
    rows.attrs = attributes
    return rows, remarks


def _strange_grades(rows: pd.DataFrame) -> list[str]:
    """Grades that no list knows among known ones, and those that begin or end within the file: a grade that
    is written otherwise from some year on would be two, and each of them stand still."""
    remarks = []
    if unknown := grades_of_no_list(rows["grade"].unique()):
        remarks.append(f"grade {_listed(unknown)}: in no list of ours, so taken as a grade of its own")
    of_year = rows[rows["enrollment"] > 0].groupby("grade")["year"].agg(["min", "max"])
    first, last = int(of_year["min"].min()), int(of_year["max"].max())
    ended = [f"{grade} (until {int(n)})" for grade, n in of_year["max"].items() if n < last]
    begun = [f"{grade} (from {int(n)})" for grade, n in of_year["min"].items() if n > first]
    if ended and begun:
        remarks.append(
            f"grade {_listed(ended)} ends and {_listed(begun)} begins: if they are one grade, name it alike"
        )
    return remarks


def _refuse_sums(rows: pd.DataFrame, file: str) -> None:
    """Refuse lines that sum up others: by their name, or since all their counts are sums of others'."""
    for column, what in (("grade", "grades"), ("unit", "units")):
        named = {name for name in rows[column].unique() if _names_a_sum(name)}
        refuse(rows[column].isin(named).to_numpy(), rows, column, f"a sum of {what}", file, _SUMS)
    beside = rows.assign(parent=rows.get("parent_unit", ""))
    in_grade = ["year", "grade"]
    below = beside.groupby(["parent", *in_grade])["enrollment"].agg(["sum", "size"]).reset_index()
    joined = beside.merge(
        below, "left", left_on=["unit", *in_grade], right_on=["parent", *in_grade], validate="many_to_one"
    )
    own_parent = beside["unit"].to_numpy() == beside["parent"].to_numpy()
    candidates = (
        ("grade", *_others(beside, ["unit", "year"]), "the sum of the other grades"),
        (
            "unit",
            joined["sum"].to_numpy(),
            np.where(own_parent, 0, joined["size"].to_numpy()),
            "the sum of the units whose parent it is",
        ),
        ("unit", *_others(beside, ["parent", *in_grade]), "the sum of the other units of its parent"),
        ("unit", *_others(beside, in_grade), "the sum of all other units"),
    )
    for column, sums, parts, told in candidates:
        found = _always_sums(rows, column, sums, parts)
        is_sum = rows[column].isin(found).to_numpy()
        refuse(is_sum, rows, column, f"{' '.join(found[:1])} is {told} in every count", file, _SUMS)


def _others(rows: pd.DataFrame, by: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the other rows of each row's group, and how many they are."""
    grouped = rows.groupby(by)["enrollment"]
    others = grouped.transform("sum") - rows["enrollment"]
    return others.to_numpy(), grouped.transform("size").to_numpy() - 1


def _always_sums(rows: pd.DataFrame, column: str, sums: np.ndarray, parts: np.ndarray) -> list[str]:
    """The names in a column whose counts are all such sums, of two parts or more."""
    counts = rows["enrollment"].to_numpy()
    told = pd.DataFrame(
        {
            "name": rows[column].to_numpy(),
            "equal": (np.abs(sums - counts) < 1e-6) & (parts >= _LEAST_PARTS),
            "positive": counts > 0,
        }
    )
    told = told[told["positive"]].groupby("name")["equal"].agg(["all", "size"])
    return sorted(told.index[told["all"] & (told["size"] >= _LEAST_EQUAL)])


@cache
def _sum_words() -> tuple[tuple[str, ...], frozenset[str]]:
    words = parse_yaml((EXPECTATIONS / "no_data.yaml").read_text(encoding="utf-8"))
    return tuple(words["sums"]), frozenset((*words["sums"], *words["sums_alone"], *words["wholes"]))


def _names_a_sum(name: str) -> bool:
    bare = _NOISE.sub("", unicodedata.normalize("NFKC", name)).lower()
    ends, words = _sum_words()
    # 合计（人）, 小计：30所
    uncounted = re.sub(r"[\d,]*[个名人生所校班项元户]*$", "", bare)
    return bare in words or uncounted.endswith(ends)


def _fractions(rows: pd.DataFrame) -> list[str]:
    parts = rows[rows["enrollment"] % 1 != 0]
    if parts.empty:
        return []
    first = parts.iloc[0]
    return [
        f"{len(parts):,} of {len(rows):,} counts are no whole numbers (line {first['_line']}: "
        f"{first['enrollment']:g}): taken as they are; forecasts are whole pupils"
    ]


def _parents_among_units(rows: pd.DataFrame) -> list[str]:
    """Units that are also named as the parent of others, and are not their sum."""
    if "parent_unit" not in rows:
        return []
    of_others = rows[rows["unit"] != rows["parent_unit"]]
    found = sorted(set(of_others["parent_unit"]) & set(rows["unit"]))
    return [f"{_listed(found)}: parent of other units, and taken as a unit of its own too"] if found else []


def _alike(units: Iterable[str]) -> list[str]:
    """Units whose names differ in noughts, case or width alone, as a spreadsheet leaves them."""
    groups = defaultdict(list)
    for unit in units:
        groups[unicodedata.normalize("NFKC", unit).casefold().replace(" ", "").lstrip("0")].append(unit)
    found = [" and ".join(sorted(names)) for names in groups.values() if len(names) > 1]
    return [f"{_listed(found)}: names that differ little: are they one unit?"] if found else []


def _holes(rows: pd.DataFrame) -> list[str]:
    """Units without pupils in a year between years with some, or in the last year."""
    counts = rows.pivot_table(index="unit", columns="year", values="enrollment", aggfunc="sum")
    units, years = list(counts.index), list(counts.columns)
    has = counts.fillna(0).to_numpy() > 0
    before, after = np.maximum.accumulate(has, axis=1), np.maximum.accumulate(has[:, ::-1], axis=1)[:, ::-1]
    holes = [f"{units[u]} {years[y]}" for u, y in np.argwhere(~has & before & after)]
    remarks = []
    if holes:
        remarks.append(f"no pupils between years with some: {_listed(holes)}: counted as none; is it known?")
    ended = [units[u] for u in np.flatnonzero(before[:, -1] & ~has[:, -1])]
    if ended:
        remarks.append(f"no pupils in {years[-1]}, the last year: {_listed(ended)}: taken as closed")
    return remarks


def _listed(names: Sequence[object]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(map(str, names[:_MOST_NAMED])) + (f" and {more:,} more" if more > 0 else "")
