-- one row per enrolled pupil and school year in which anybody was tested: whether the pupil has a result that counts
{{ config(materialized='table') }}

with results as (select * from {{ ref('int_fitness__result_unit') }} where result_kind = 'upload'),

rolls as (select * from {{ ref('int_enrollment__pupil_year') }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

grades as (select * from {{ source('standards', 'grade') }} where fitness_code is not null)

select
    'upload' as result_kind,
    rolls.pupil_key,
    rolls.school_year_start,
    rolls.school_code,
    coalesce(schools.district_code, '?') as district_code,
    coalesce(schools.zone_code, '?') as zone_code,
    rolls.grade_key,
    coalesce(rolls.sex_code, '9') as sex_code,
    rolls.is_status_unmapped,
    coalesce(results.is_scored, false) as is_scored,
    coalesce(results.score_status in ('exempt', 'deferred'), false) as is_excused,
from rolls
inner join grades
    on rolls.grade_key = grades.code
left join results
    on
        rolls.pupil_key = results.pupil_key
        and rolls.school_year_start = results.school_year_start
left join schools
    on rolls.school_code = schools.school_code
where rolls.school_year_start in (select tested.school_year_start from results as tested)
