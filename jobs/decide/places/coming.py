"""Openings and closings that senders have announced, as events of the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from jobs.decide.places.events import Event
from jobs.decide.places.gap import NO_UNIT
from jobs.decide.places.rows import rows_of
from jobs.decide.places.supply import Floats, coming_places, opens_school, parted, school_year_of

# Kinds of change that end no school code; nor does one that names the school itself as its successor.
GOES_ON = ("rename", "move", "reopen")


def openings(
    projects: pd.DataFrame,
    places: pd.DataFrame,
    units: pd.DataFrame,
    spans: Mapping[str, Sequence[str]],
    shares: Floats,
    as_of: date,
    years: Sequence[int],
) -> list[Event]:
    """Each school that is planned or being built, named by its project's code, as one event a year.

    It opens with the first grade of its stage and adds a grade a year. Its entrants are those of its area
    (else of its district) times its share of the places there, times the chance that it is open. So a school
    that may be late has the pupils that it will have on average. `places`: `school_code`, `grade_key` as in
    `spans` (stage -> grades), `place_count`."""
    found = []
    new = projects[opens_school(projects, set(units["school"]))]
    of_grade = {
        g: dict(zip(p["school_code"], p["place_count"], strict=True)) for g, p in places.groupby("grade_key")
    }
    by_area = {str(a): list(m) for a, m in units.groupby("area")["school"]}
    by_district = {str(d): list(m) for d, m in units.groupby("district")["school"]}
    coming = coming_places(new, as_of, years, shares)
    for (code, district, area, stage), mine in coming.groupby(
        ["project_code", "district_code", "area_name", "stage_code"], sort=True
    ):
        grades = tuple(spans.get(str(stage), ()))
        standing = of_grade.get(grades[0], {}) if grades else {}
        near = by_area.get(f"{district}/{area or NO_UNIT}", []), by_district.get(str(district), [])
        givers = next((own for group in near if (own := [u for u in group if standing.get(u)])), [])
        if not givers or str(district) not in by_district:
            continue
        each = float(mine["place_count"].iloc[0]) / len(grades)
        share = each / (each + sum(float(standing[u]) for u in givers))
        open_years = mine[mine["open_probability"] > 0].sort_values("school_year_start")
        for n, row in enumerate(rows_of(open_years)):
            found.append(
                Event(
                    str(code),
                    int(row.school_year_start),
                    grades[: n + 1],
                    tuple(givers),
                    str(district),
                    share=share * float(row.open_probability),
                )
            )
    return found


def closings(changes: pd.DataFrame, register: pd.DataFrame, units: pd.DataFrame, origin: int) -> list[Event]:
    """Schools that exist at the origin and are merged, recoded or closed after it.

    `changes`: `from_school_code`, `to_school_code`, `change_kind_code`, `change_date`, `stated_on`, also of
    days to come; the last statement about a school counts. The register's closing day counts where no change
    is stated."""
    known = set(units["school"])
    endings = {school: end for school, end in _ends(changes).items() if school in known}
    for school, day in zip(register["school_code"], register["closed_date"], strict=True):
        if school in known and pd.notna(day):
            endings.setdefault(str(school), (day, None))
    return [
        Event(school, year, partners=() if heir is None else (heir,))
        for school, (day, heir) in sorted(endings.items())
        if (year := school_year_of(day)) > origin
    ]


def _ends(changes: pd.DataFrame) -> dict[str, tuple[date, str | None]]:
    """School -> the day it ends and its successor, as stated last."""
    heirs = changes["to_school_code"].replace("", None)
    is_unnamed = heirs.isna() & changes["change_kind_code"].isin(GOES_ON)
    goes_on = is_unnamed | (heirs == changes["from_school_code"])
    ends = changes[~goes_on].sort_values(["stated_on", "change_date"])
    found: dict[str, tuple[date, str | None]] = {}
    for row in rows_of(ends):
        heir, school = row.to_school_code, str(row.from_school_code)
        found[school] = (
            row.change_date,
            heir if isinstance(heir, str) and heir not in ("", school) else None,
        )
    return found


def continued(counts: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Move the past counts of schools that have ended to those that took their pupils, so that an ending is
    no jump of theirs: merged and recoded schools to their successor, closed ones to the schools of their
    parent that teach the grade, by size.

    Rows in and out: `unit`, `parent_unit`, `year`, `grade`, `enrollment`. A school that still has pupils in
    the last year keeps its own; so does one of which no successor has any."""
    last = counts["year"].max()
    newest = counts[counts["year"] == last].drop_duplicates("unit")
    standing = dict(zip(newest["unit"], newest["parent_unit"], strict=True))
    ends = {school: end for school, end in _ends(changes).items() if school_year_of(end[0]) <= last}
    heirs: dict[str, str] = {}
    closed: set[str] = set()
    for school in counts["unit"].unique():
        seen, heir = {school}, school
        while heir not in standing and heir in ends and ends[heir][1] and ends[heir][1] not in seen:
            heir = str(ends[heir][1])
            seen.add(heir)
        if heir in standing:
            heirs[school] = heir
        elif heir in ends and ends[heir][1] is None:
            closed.add(school)
    joined = counts.assign(unit=counts["unit"].map(heirs).fillna(counts["unit"]))
    taken = joined["unit"] != counts["unit"]
    if not taken.any():
        return _taken_over(counts, closed)
    # In a year a school has one parent: its own where it stood, else its newest.
    own = counts.drop_duplicates(["unit", "year"]).set_index(["unit", "year"])["parent_unit"]
    keys = zip(joined["unit"], joined["year"], strict=True)
    parents = [own.get(key, standing.get(key[0])) for key in keys]
    joined["parent_unit"] = joined["parent_unit"].where(~taken, pd.Series(parents, index=joined.index))
    return _taken_over(_joined(joined), closed)


def settled(counts: pd.DataFrame, year: int) -> pd.DataFrame:
    """Count a school in every year up to `year` under the parent that it has then: a school that moved to
    another district is no jump of both. Rows in and out: those of `continued`, none more or less."""
    told = counts[counts["year"] <= year].sort_values("year")
    parents = told.drop_duplicates("unit", keep="last").set_index("unit")["parent_unit"]
    then = counts["unit"].map(parents).where(counts["year"] <= year, counts["parent_unit"])
    return counts.assign(parent_unit=then.fillna(counts["parent_unit"]))


def _joined(counts: pd.DataFrame) -> pd.DataFrame:
    return counts.groupby(["unit", "parent_unit", "year", "grade"], as_index=False)[["enrollment"]].sum()


def _taken_over(counts: pd.DataFrame, closed: set[str]) -> pd.DataFrame:
    """Counts of closed schools parted over those of the same parent, year and grade that stand, in proportion
    to their pupils of the last year. Where there is none, they stay."""
    if not closed:
        return counts
    is_closed = counts["unit"].isin(closed)
    rest = counts[~is_closed]
    newest = rest[(rest["year"] == rest["year"].max()) & (rest["enrollment"] > 0)]
    size = newest.set_index(["unit", "grade"])["enrollment"].to_dict()
    takers: dict[tuple[str, int, int], list[str]] = {}
    for row in rows_of(rest[rest["enrollment"] > 0].sort_values("unit")):
        if (row.unit, row.grade) in size:
            takers.setdefault((row.parent_unit, row.year, row.grade), []).append(row.unit)
    made = []
    for row in rows_of(counts[is_closed]):
        units = takers.get((row.parent_unit, row.year, row.grade)) or [row.unit]
        parts = parted(int(row.enrollment), [size.get((unit, row.grade), 1) for unit in units])
        made += [(u, row.parent_unit, row.year, row.grade, n) for u, n in zip(units, parts, strict=True) if n]
    columns = ["unit", "parent_unit", "year", "grade", "enrollment"]
    return _joined(pd.concat([rest[columns], pd.DataFrame(made, columns=columns)], ignore_index=True))
