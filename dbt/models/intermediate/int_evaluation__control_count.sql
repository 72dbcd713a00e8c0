-- one row per kind, district (null: none known), school year and stage (null: none known): what the lake itself counts
{{ config(materialized='table') }}

with grade_counts as (select * from {{ ref('stg_enrollment__grade_count') }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

grades as (select * from {{ source('standards', 'grade') }}),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

pupils as (
    select
        coalesce(grade_counts.parent_unit_code, schools.district_code) as district_code,
        grade_counts.school_year_start,
        grades.stage_code,
        sum(grade_counts.pupil_count) as counted_count,
    from grade_counts
    left join schools
        on grade_counts.unit_code = schools.school_code
    left join grades
        on grade_counts.grade_key = grades.code
    group by all
),

-- a register tells of its own school year and those after; what was closed before may be in none
registers as (select * from {{ ref('stg_enrollment__register_year') }}),

years as (
    select school_year_start from grade_counts
    union
    select school_year_start from {{ ref('stg_evaluation__control_total') }}
),

open_schools as (
    select
        schools.district_code,
        years.school_year_start,
        types.stage_code,
        count(*) as counted_count,
    from schools
    inner join registers
        on schools.district_code is not distinct from registers.district_code
    inner join years
        on
            registers.register_school_year_start <= years.school_year_start
            and coalesce(schools.opened_date <= {{ school_year_begins('years.school_year_start') }}, true)
            and coalesce(schools.closed_date > {{ school_year_begins('years.school_year_start') }}, true)
    left join types
        on schools.school_type_code = types.code
    -- what the bulletin does not count among these stages: vocational schools, universities
    where schools.is_registered and (types.stage_code is not null or schools.school_type_code is null)
    group by all
),

-- where the register says nothing of the stage taught, the kind of school does; who teaches in two schools counts once
teachers as (
    select
        schools.district_code,
        staff.school_year_start,
        case when not staff.has_unmapped_code then coalesce(staff.stage_code, types.stage_code) end as stage_code,
        count(distinct staff.staff_key) as counted_count,
    from {{ ref('stg_enrollment__staff_year') }} as staff
    left join schools
        on staff.school_code = schools.school_code
    left join types
        on schools.school_type_code = types.code
    where staff.staff_post_code = 'teacher' or (staff.staff_post_code is null and staff.has_unmapped_code)
    group by all
)

select
    'pupil' as control_kind,
    *,
from pupils
union all by name
select
    'school' as control_kind,
    *,
from open_schools
union all by name
select
    'teacher' as control_kind,
    *,
from teachers
