-- one row per open school and stage that has teachers or pupils: both of them, in the newest year of the returns
{{ config(materialized='table') }}

with staff as (select * from {{ ref('stg_enrollment__staff') }}),

schools as (select * from {{ ref('int_enrollment__school') }} where is_open),

grades as (select * from {{ source('standards', 'grade') }}),

teachers as (
    select
        school_code,
        stage_code,
        count(*) as teacher_count,
        count(*) filter (where education_level_code is not null) as education_known_count,
        count(*) filter (where education_level_code in ('bachelor', 'master', 'doctor')) as bachelor_count,
        count(has_teaching_certificate) as certificate_known_count,
        count(*) filter (where has_teaching_certificate) as certificate_count,
        count(*) filter (where has_unmapped_code) as unmapped_count,
    from staff
    where staff_post_code = 'teacher' and stage_code is not null
    group by school_code, stage_code
),

-- a school that has not returned this year is not compared by an older one
pupils as (
    select counts.unit_code as school_code, grades.stage_code, sum(counts.pupil_count) as pupil_count
    from {{ ref('stg_enrollment__grade_count') }} as counts
    inner join grades
        on counts.grade_key = grades.code
    where counts.school_year_start = (select max(school_year_start) from {{ ref('stg_enrollment__grade_count') }})
    group by counts.unit_code, grades.stage_code
)

select
    schools.school_code,
    schools.district_code,
    coalesce(teachers.stage_code, pupils.stage_code) as stage_code,
    coalesce(teachers.teacher_count, 0)::integer as teacher_count,
    coalesce(teachers.education_known_count, 0)::integer as education_known_count,
    coalesce(teachers.bachelor_count, 0)::integer as bachelor_count,
    coalesce(teachers.certificate_known_count, 0)::integer as certificate_known_count,
    coalesce(teachers.certificate_count, 0)::integer as certificate_count,
    pupils.pupil_count::integer as pupil_count,
    coalesce(teachers.unmapped_count, 0)::integer as unmapped_count,
from teachers
full outer join pupils
    on teachers.school_code = pupils.school_code and teachers.stage_code = pupils.stage_code
inner join schools
    on coalesce(teachers.school_code, pupils.school_code) = schools.school_code
