-- one row per school, school year and grade
with grade_counts as (select * from {{ ref('stg_enrollment__grade_count') }}),

schools as (select * from {{ ref('dim_school') }}),

grades as (select * from {{ source('standards', 'grade') }})

select
    grade_counts.unit_code as school_code,
    schools.school_name,
    -- the district of that year, as the return says; today's where it says none
    coalesce(grade_counts.parent_unit_code, schools.district_code) as district_code,
    grade_counts.school_year_start,
    {{ school_year_label('grade_counts.school_year_start') }} as school_year,
    grades.stage_code,
    grade_counts.grade_key,
    grade_counts.pupil_count,
    grade_counts.school_year_start
    = max(grade_counts.school_year_start) over (partition by grade_counts.unit_code) as is_newest_school_year,
    -- every other code of a return is open or part of its key
    coalesce(grade_counts.parent_unit_code is null and schools.is_registered and schools.district_code is null, false)
        as has_unmapped_code,
from grade_counts
left join schools
    on grade_counts.unit_code = schools.school_code
left join grades
    on grade_counts.grade_key = grades.code
