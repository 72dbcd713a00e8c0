"""The SQL by which the balance reads the lake: one statement a fact, over the window's views, for DuckDB."""

from __future__ import annotations

from datetime import date

from jobs import clock
from jobs.declare import codes
from jobs.lake.window import Window
from jobs.sql import literals

# Kinds of the register that give compulsory education by the law.
KINDS = ("21", "31", "34")
# Urban and town areas by the statistical division codes; others are rural.
TOWN = ("111", "112", "121", "122", "123")
COMPULSORY = ("primary", "junior")
_ABOVE = ("doctor", "master", "bachelor")
# The degree above the rule: 专科 or above in primary, 本科 or above in junior schools.
_QUALIFIED = {"primary": (*_ABOVE, "associate"), "junior": _ABOVE}
_MIDDLE_TITLE = ("professor_level", "senior", "first")
_BACKBONE = ("district", "city", "national")
_PE_AND_ARTS = ("physical_education", "music", "fine_arts", "arts")
# Who counts: in post or on contract (a register without the column tells nobody apart).
_IN_SERVICE = ("in_post", "contract")
# Who counts beside them for PE and arts in small rural schools.
_BESIDE = ("itinerant", "part_time", "shared")
# Hours of training that a teacher completes in five years, years in one school after which one may rotate.
_TRAINING_HOURS, _YEARS_BEFORE_ROTATION = 360, 6


def _day(day: date) -> str:
    return literals(day.isoformat())


def _grades() -> str:
    pairs = ", ".join(f"({literals(r['code'], r['stage_code'])})" for r in codes.code_list("grade").rows)
    return f"(values {pairs}) as grade (grade_key, stage_code)"


def _moved(lake: Window, on: date) -> str:
    """CTE `moved`: code before -> code now, of schools that go on under another code by then."""
    return f"""moved as (
    select from_school_code, min(to_school_code) as to_school_code
    from {lake.of("chosen", "school_change")}
    where change_kind_code in ('recode', 'split') and change_date <= {_day(on)}
        and to_school_code <> from_school_code
    group by from_school_code
)"""


def registered(lake: Window, on: date) -> str:
    """One row per school of the registers, opened by then. `is_ended`: merged or closed by a change."""
    return f"""with {_moved(lake, on)},
ended as (
    select from_school_code as school_code, max(change_date) as ended_date
    from {lake.of("chosen", "school_change")}
    where change_kind_code in ('merge', 'close') and change_date <= {_day(on)}
    group by from_school_code
)
select
    register.* exclude (school_code),
    coalesce(moved.to_school_code, register.school_code) as school_code,
    ended.ended_date is not null and coalesce(register.opened_date < ended.ended_date, true) as is_ended
from {lake.of("chosen", "school_register")} as register
left join moved on register.school_code = moved.from_school_code
left join ended on register.school_code = ended.school_code
where coalesce(register.opened_date <= {_day(on)}, true)
qualify row_number() over (
    partition by coalesce(moved.to_school_code, register.school_code)
    order by moved.to_school_code is not null
) = 1
order by school_code"""


def pupils(lake: Window, year: int, on: date) -> str:
    """One row per unit and stage of the yearly return. Totals of districts are no schools."""
    return f"""with {_moved(lake, on)}
select
    coalesce(moved.to_school_code, counted.unit_code) as school_code,
    min(coalesce(counted.parent_unit_code, counted.sender_code)) as district_code,
    grade.stage_code,
    sum(counted.pupil_count)::bigint as pupils
from {lake.of("chosen", "grade_return")} as counted
inner join {_grades()} on counted.grade_key = grade.grade_key
left join moved on counted.unit_code = moved.from_school_code
where
    counted.school_year_start = {year}
    and counted.unit_code not in ({literals(*(r["code"] for r in codes.code_list("district").rows), "")})
group by 1, 3
order by 1, 3"""


def staff(lake: Window, year: int, on: date) -> str:
    """One row per school and stage taught: full-time teachers in post or on contract, by what the law asks.
    A teacher whose stage nobody states counts where the school teaches one stage alone."""
    qualified = " or ".join(
        f"(stage_code = {literals(stage)} and education_level_code in ({literals(*levels)}))"
        for stage, levels in _QUALIFIED.items()
    )
    since = date(year - _YEARS_BEFORE_ROTATION, *clock.YEAR_BEGINS)
    serves = f"coalesce(employment_kind_code in ({literals(*_IN_SERVICE)}), true)"
    return f"""with {_moved(lake, on)},
teacher as (
    select
        staff.* exclude (school_code, stage_code),
        coalesce(moved.to_school_code, staff.school_code) as school_code,
        coalesce(staff.stage_code, alone.stage_code) as stage_code,
        {serves} as serves,
        coalesce(subject_code in ({literals(*_PE_AND_ARTS)}), false) as is_pe_or_arts
    from {lake.of("chosen", "staff_register")} as staff
    left join moved on staff.school_code = moved.from_school_code
    left join (
        select school_code, min(stage_code) as stage_code from {lake.of("chosen", "staff_register")}
        where staff_post_code = 'teacher' group by school_code having count(distinct stage_code) = 1
    ) as alone on staff.school_code = alone.school_code
    where staff.staff_post_code = 'teacher'
)
select
    school_code, stage_code,
    count(*) filter (where serves) as teachers,
    count(education_level_code) filter (where serves) as with_education,
    count(*) filter (where serves and ({qualified})) as qualified,
    count(professional_title_code) filter (where serves) as with_title,
    count(*) filter (where serves and professional_title_code in ({literals(*_MIDDLE_TITLE)}))
        as middle_title,
    count(backbone_level_code) filter (where serves) as with_backbone,
    count(*) filter (where serves and backbone_level_code in ({literals(*_BACKBONE)})) as backbone,
    count(subject_code) filter (where serves) as with_subject,
    count(*) filter (where serves and is_pe_or_arts) as pe_arts,
    count(*) filter (where employment_kind_code in ({literals(*_BESIDE)}) and is_pe_or_arts)
        as pe_arts_beside,
    count(has_teaching_certificate) filter (where serves) as with_certificate,
    count(*) filter (where serves and has_teaching_certificate) as certified,
    count(training_hours) filter (where serves) as with_training,
    count(*) filter (where serves and training_hours >= {_TRAINING_HOURS}) as trained,
    count(joined_date) filter (where serves) as with_joined,
    count(*) filter (where serves and joined_date <= {_day(since)}) as may_rotate
from teacher
where stage_code is not null
group by school_code, stage_code
order by school_code, stage_code"""


def rolls(lake: Window, year: int, on: date) -> str:
    """One row per school and stage of the newest roll of the year: its classes and the largest of them."""
    return f"""with {_moved(lake, on)},
class as (
    select
        coalesce(moved.to_school_code, roll.school_code) as school_code, roll.term, roll.grade_key,
        roll.class_name, count(*) filter (where roll.pupil_status_code = '1') as pupils,
        count(*) filter (where roll.pupil_status_code = '1' and roll.is_migrant_child) as migrants,
        count(roll.is_migrant_child) filter (where roll.pupil_status_code = '1') as with_migrants
    from {lake.of("chosen", "pupil_roll")} as roll
    left join moved on roll.school_code = moved.from_school_code
    where roll.school_year_start = {year}
    group by 1, 2, 3, 4
),
newest as (select * from class qualify term = max(term) over (partition by school_code))
select
    newest.school_code, grade.stage_code, count(*) filter (where newest.pupils > 0) as classes,
    max(newest.pupils) as largest_class, sum(newest.migrants)::bigint as migrants,
    sum(newest.with_migrants)::bigint as with_migrants
from newest
inner join {_grades()} on newest.grade_key = grade.grade_key
group by newest.school_code, grade.stage_code
order by newest.school_code, grade.stage_code"""


def rotation(lake: Window, year: int, on: date) -> str:
    """One row per district: teachers of its public compulsory schools who rotate in the school year."""
    begins, ends = clock.first_day(year), clock.first_day(year + 1)
    return f"""with teacher as (
    select
        rotation.staff_key, min(register.district_code) as district_code,
        bool_or(coalesce(rotation.backbone_level_code, staff.backbone_level_code) in ({literals(*_BACKBONE)}))
            as is_backbone
    from {lake.of("chosen", "teacher_rotation")} as rotation
    inner join {lake.of("chosen", "school_register")} as register
        on rotation.from_school_code = register.school_code
    left join {lake.of("chosen", "staff_register")} as staff on rotation.staff_key = staff.staff_key
    where
        rotation.rotation_start_date < {_day(ends)}
        and coalesce(rotation.rotation_end_date >= {_day(begins)}, true)
        and register.ownership_code = 'public' and register.school_type_code in ({literals(*KINDS)})
        and coalesce(staff.stage_code in ({literals(*COMPULSORY)}), true)
    group by rotation.staff_key
)
select district_code, count(*) as rotating, count(*) filter (where is_backbone) as backbone
from teacher group by district_code order by district_code"""


def entry(lake: Window, year: int, on: date) -> str:
    """One row per district: pupils newly registered in public day schools of cities and towns, by stage of
    the school, and schools of which none is known."""
    return f"""with school as (
    select register.school_code, register.district_code,
        if(register.school_type_code = '21', 'primary', 'junior') as stage_code
    from {lake.of("chosen", "school_register")} as register
    where register.ownership_code = 'public' and register.school_type_code in ({literals(*KINDS)})
        and coalesce(register.urban_rural_code in ({literals(*TOWN)}), true)
        and not coalesce(register.is_boarding_school, false)
        and coalesce(register.closed_date > {_day(on)}, true)
),
entered as (
    select
        school_code, count(entry_method_code) as known,
        count(*) filter (where entry_method_code = '11') as near
    from {lake.of("chosen", "pupil_registration")}
    where entry_month between '{year}07' and '{year}12'
    group by school_code
)
select
    school.district_code,
    sum(known) filter (where stage_code = 'primary')::bigint as primary_known,
    sum(near) filter (where stage_code = 'primary')::bigint as primary_near,
    count(*) filter (where stage_code = 'primary' and known is null) as primary_untold,
    sum(known) filter (where stage_code = 'junior')::bigint as junior_known,
    sum(near) filter (where stage_code = 'junior')::bigint as junior_near,
    count(*) filter (where stage_code = 'junior' and known is null) as junior_untold
from school left join entered on school.school_code = entered.school_code
group by school.district_code order by school.district_code"""


def purchased(lake: Window, year: int) -> str:
    """One row per district: migrant children on the rolls of private schools whose place is bought."""
    return f"""select register.district_code, count(distinct roll.pupil_key) as pupils
from {lake.of("chosen", "pupil_roll")} as roll
inner join {lake.of("chosen", "school_register")} as register on roll.school_code = register.school_code
inner join {lake.of("chosen", "pupil_registration")} as entered on roll.pupil_key = entered.pupil_key
where
    roll.school_year_start = {year} and roll.is_migrant_child and roll.pupil_status_code = '1'
    and register.ownership_code = 'private' and entered.is_purchased_place
group by register.district_code order by register.district_code"""


def items(lake: Window, year: int) -> str:
    """One row per district, rule, stage and school, of the newest supervision year of the school year."""
    return f"""select district_code, rule_code, stage_code, school_code, item_value, is_item_met
from {lake.of("chosen", "supervision_item")}
where supervision_year between {year} and {year + 1}
qualify supervision_year = max(supervision_year) over (partition by district_code, rule_code)
order by district_code, rule_code, stage_code, school_code"""
