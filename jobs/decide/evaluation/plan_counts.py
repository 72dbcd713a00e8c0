"""The plan's indicators as the lake counts them: from registers, staff, returns and registrations.

Rows out: `decision_evaluation__plan_count` without its run, one a year, indicator, school and stage: how many
meet what the indicator asks (`yes_count`) of how many are known (`known_count`), and of how many it is not
known, because a code is unmapped or nothing was stated (`unknown_count`). The count of a year is of its 31
December, by what was received until the end of the school year. A school that ought to have stated something
and did not has a row with `is_missing` and what is expected of it. Rows outside of an indicator's scope
(`is_in_scope` false) count for nothing; they tell whether a district reported another scope.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import clock
from jobs.lake import window
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings

DATASETS = ("school_register", "staff_register", "grade_return", "pupil_registration")
TABLE = "decision_evaluation__plan_count"
KINDERGARTEN = "11"
COMPULSORY = ("21", "31", "34")
VOCATIONAL = ("32", "36", "93")
# Rows of these indicators are made here; the marts count fitness and safe campuses.
INDICATORS = {
    "inclusive_kindergarten_coverage": "clean_enrollment__school clean_enrollment__grade_count",
    "nearby_enrollment_rate": "clean_enrollment__pupil_registration",
    "preschool_teacher_professional_education": "clean_enrollment__staff",
    "compulsory_teacher_bachelor_share": "clean_enrollment__staff",
    "dual_qualified_vocational_teacher_share": "clean_enrollment__staff",
    "smart_campus_coverage": "clean_enrollment__school",
    "green_school_rate": "clean_enrollment__school",
}
COLUMNS = [
    *("count_year", "indicator_code", "district_code", "school_code", "stage_code", "school_type_code"),
    *("ownership_code", "is_in_scope", "is_missing", "yes_count", "known_count", "unknown_count"),
]
_UNIT = ["school_code", "stage_code"]


def counted(settings: Settings, run: Run, earliest: int) -> pd.DataFrame:
    """The rows of every year from `earliest` on of which the lake holds a register."""
    years = []
    for year in range(clock.school_year(run.as_of_date), earliest - 1, -1):
        known_at = min(run.known_at, clock.end_of_day(date(year + 1, 8, 31), settings.timezone))
        day = min(run.as_of_date, date(year, 12, 31))
        with window.opened(settings, day, known_at, DATASETS) as lake:
            rows = of_year(lake, year, day)
        if rows.empty:
            break
        years.append(rows)
    found = pd.concat(years) if years else pd.DataFrame(columns=COLUMNS)
    return expected(found)[COLUMNS].sort_values(COLUMNS[:5], ignore_index=True)


def of_year(lake: Window, year: int, day: date) -> pd.DataFrame:
    """The rows of one year; those that are missing have no counts yet."""
    schools = lake.frame(_SCHOOLS.format(day=day, of=lake.of("chosen", "school_register")))
    if schools.empty:
        return pd.DataFrame(columns=COLUMNS)
    pupils = lake.frame(_PUPILS.format(year=year, of=lake.of("chosen", "grade_return")))
    staff = lake.frame(_STAFF.format(of=lake.of("chosen", "staff_register")))
    entrants = lake.frame(_ENTRANTS.format(year=year, of=lake.of("chosen", "pupil_registration")))
    rows = pd.concat(
        [
            _recognized(schools),
            _inclusive(schools, pupils),
            _taught(schools, staff, pupils),
            _entered(schools, entrants, pupils),
        ]
    )
    return rows.assign(count_year=year)


_SCHOOLS = """
select school_code, district_code, school_type_code, ownership_code,
    case when ownership_code = 'public' then true else is_inclusive_kindergarten end as is_inclusive,
    is_smart_campus, is_green_school
from {of}
where (closed_date is null or closed_date > date '{day}')
    and (opened_date is null or opened_date <= date '{day}')
"""
_PUPILS = """
select unit_code as school_code, grade_key, cast(sum(pupil_count) as bigint) as pupils
from {of} where school_year_start = {year} group by unit_code, grade_key
"""
# A post that nobody mapped may be a teacher's. An itinerant teacher is counted at the school of his post.
_STAFF = """
select school_code, stage_code, count(*) as teachers,
    count(case when staff_post_code = 'teacher' then education_level_code end) as degrees_known,
    count(case when staff_post_code = 'teacher' and education_level_code in ('bachelor', 'master', 'doctor')
        then 1 end) as degrees,
    count(case when staff_post_code = 'teacher' then has_preschool_training end) as trained_known,
    count(case when staff_post_code = 'teacher' and has_preschool_training then 1 end) as trained,
    count(case when staff_post_code = 'teacher' then is_dual_qualified end) as dual_known,
    count(case when staff_post_code = 'teacher' and is_dual_qualified then 1 end) as dual
from {of}
where (staff_post_code = 'teacher' or staff_post_code is null)
    and coalesce(employment_kind_code, '') <> 'itinerant'
group by school_code, stage_code
"""
_ENTRANTS = """
select school_code, count(*) as entrants, count(entry_method_code) as known,
    count(case when entry_method_code = '11' then 1 end) as nearby
from {of} where substring(entry_month, 1, 4) = '{year}' group by school_code
"""


def _rows(
    rows: pd.DataFrame, indicator: str, yes: pd.Series, known: pd.Series, whole: pd.Series, scope: pd.Series
) -> pd.DataFrame:
    if "stage_code" not in rows:
        rows = rows.assign(stage_code=None)
    return rows.assign(
        indicator_code=indicator,
        is_in_scope=scope,
        is_missing=False,
        yes_count=yes.astype(float),
        known_count=known.astype(float),
        unknown_count=(whole - known).astype(float),
    )[[c for c in COLUMNS if c != "count_year"]]


def _recognized(schools: pd.DataFrame) -> pd.DataFrame:
    """Smart campuses among schools and kindergartens, green ones among schools."""
    one = pd.Series(1, index=schools.index)
    school = schools["school_type_code"].ne(KINDERGARTEN)
    return pd.concat(
        _rows(schools, code, schools[flag].eq(True), schools[flag].notna(), one, scope)
        for code, flag, scope in (
            ("smart_campus_coverage", "is_smart_campus", one.astype(bool)),
            ("green_school_rate", "is_green_school", school),
        )
    )


def _inclusive(schools: pd.DataFrame, pupils: pd.DataFrame) -> pd.DataFrame:
    """Children in public and inclusive kindergartens, of all children in kindergartens."""
    code = "inclusive_kindergarten_coverage"
    kept = schools.merge(_of_stage(pupils, "K"), on="school_code", how="left")
    kept = kept[kept["pupils"].notna() | kept["school_type_code"].eq(KINDERGARTEN)]
    known = kept["is_inclusive"].notna()
    count = kept["pupils"].astype(float)
    rows = _rows(
        kept,
        code,
        count.where(kept["is_inclusive"].eq(True), 0.0),
        count.where(known, 0.0),
        count,
        known | True,
    )
    return rows.assign(is_missing=count.isna())


def _taught(schools: pd.DataFrame, staff: pd.DataFrame, pupils: pd.DataFrame) -> pd.DataFrame:
    """Teachers with training or degree, by school and stage, and schools with pupils that named none."""
    own = schools.merge(staff, on="school_code")
    nursery = own["school_type_code"].eq(KINDERGARTEN)
    stage = own["stage_code"].astype(object)
    # A stage that nobody mapped is that of the kind of school.
    early = stage.eq("kindergarten") | (stage.isna() & nursery)
    middle = stage.isin(["primary", "junior"]) | (stage.isna() & own["school_type_code"].isin(COMPULSORY))
    vocational = own["school_type_code"].isin(VOCATIONAL)
    whole = own["teachers"]
    made = [
        _rows(
            own,
            "preschool_teacher_professional_education",
            own["trained"],
            own["trained_known"],
            whole,
            early,
        )[early],
        _rows(own, "compulsory_teacher_bachelor_share", own["degrees"], own["degrees_known"], whole, middle),
        _rows(
            own, "dual_qualified_vocational_teacher_share", own["dual"], own["dual_known"], whole, vocational
        )[vocational],
    ]
    silent = schools[~schools["school_code"].isin(staff["school_code"])]
    for letters, code in (
        ("K", "preschool_teacher_professional_education"),
        ("PJ", "compulsory_teacher_bachelor_share"),
    ):
        # Where nobody has handed a register of staff in, no school is missing from it.
        if len(own):
            made.append(_missing(silent.merge(_of_stage(pupils, letters), on="school_code"), code))
    return pd.concat(made)


def _entered(schools: pd.DataFrame, entrants: pd.DataFrame, pupils: pd.DataFrame) -> pd.DataFrame:
    """Entrants of compulsory education who came to a school nearby; first grades that nobody registered."""
    code = "nearby_enrollment_rate"
    own = schools.merge(entrants, on="school_code")
    rows = _rows(own, code, own["nearby"], own["known"], own["entrants"], own["entrants"].ge(0))
    first = pupils[pupils["grade_key"].eq("P1") & pupils["pupils"].gt(0)][["school_code", "pupils"]]
    silent = schools[~schools["school_code"].isin(own["school_code"])].merge(first, on="school_code")
    if own.empty or silent.empty:
        return rows
    # The return counts the first grade: how many there are is known, how they came is not.
    return pd.concat([rows, _missing(silent, code).assign(known_count=silent["pupils"].astype(float))])


def _of_stage(pupils: pd.DataFrame, letters: str) -> pd.DataFrame:
    own = pupils[pupils["grade_key"].str[:1].isin(list(letters)) & pupils["pupils"].gt(0)]
    return own.groupby("school_code")["pupils"].sum().reset_index()


def _missing(schools: pd.DataFrame, indicator: str) -> pd.DataFrame:
    nothing = pd.Series(float("nan"), index=schools.index)
    rows = _rows(schools, indicator, nothing, nothing, nothing, nothing.isna())
    return rows.assign(is_missing=True)


def expected(rows: pd.DataFrame) -> pd.DataFrame:
    """The same with what is expected of each school that is missing: as many as it had the year before or has
    the year after, else as many as the mean school of its district, at the district's rate.
    """
    by = ["indicator_code", "district_code"]
    told = rows[~rows["is_missing"].astype(bool) & rows["is_in_scope"].astype(bool)]
    sums = told.groupby([*by, "count_year"])[["yes_count", "known_count"]].sum()
    schools = told.groupby([*by, "count_year"])["school_code"].nunique()
    own = told.groupby(["indicator_code", "school_code", "count_year"])[["yes_count", "known_count"]].sum()
    rows = rows.reset_index(drop=True)
    for n in rows.index[rows["is_missing"].astype(bool)]:
        row = rows.loc[n]
        key = (row["indicator_code"], row["district_code"], row["count_year"])
        rate = sums["yes_count"].get(key, 0.0) / max(sums["known_count"].get(key, 0.0), 1.0)
        others = [
            own["known_count"][k]
            for step in (-1, 1)
            if (k := (row["indicator_code"], row["school_code"], row["count_year"] + step)) in own.index
        ]
        mean = sums["known_count"].get(key, 0.0) / max(schools.get(key, 0), 1)
        known = row["known_count"] if pd.notna(row["known_count"]) else others[0] if others else mean
        rows.loc[n, ["yes_count", "known_count", "unknown_count"]] = [round(rate * known), round(known), 0.0]
    return rows
