-- one row per kind of result (upload, recheck), pupil and school year: the sitting that stands, with its units
{{ config(materialized='table') }}

{% set items = [
    'bmi', 'vital_capacity', 'run_50m', 'sit_and_reach', 'rope_skip_1min', 'sit_up_1min', 'standing_long_jump',
    'pull_up', 'shuttle_run_50x8', 'run_1000m', 'run_800m'
] -%}
with uploads as (
    select
        *,
        'upload' as result_kind,
    from {{ ref('int_fitness__sitting_chosen') }}
),

rechecks as (
    select
        *,
        'recheck' as result_kind,
        level as fitness_level,
        false as has_retest,
    from {{ ref('stg_fitness__recheck_score') }}
),

results as (
    select * from uploads
    union all by name
    select * from rechecks
),

levels as ({{ fitness_levels() }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

rolls as (select * from {{ ref('int_enrollment__pupil_year') }})

select
    results.result_kind,
    results.pupil_key,
    results.school_year_start,
    results.school_code,
    coalesce(results.grade_key, '?') as grade_key,
    results.fitness_grade_code,
    results.class_code,
    coalesce(results.sex_code, '9') as sex_code,
    results.test_date,
    results.total_score,
    results.status as score_status,
    results.standard_version,
    results.national_bmi_class,
    {% for item in items -%}
    results.points_{{ item }},
    {% endfor -%}
    {{ has_unmapped_code(['sex_code']) }} as is_sex_unmapped,
    {{ fitness_has_unmapped_code() }} as has_unmapped_code,
    results.fitness_level,
    results.has_retest,
    coalesce(schools.district_code, '?') as district_code,
    coalesce(schools.zone_code, '?') as zone_code,
    schools.is_district_unmapped,
    results.total_score is not null as is_scored,
    levels.level_rank,
    levels.is_excellent,
    levels.is_good_or_excellent,
    levels.is_pass,
    rolls.pupil_key is not null as is_on_roll,
    rolls.school_code = results.school_code as is_on_roll_of_school,
from results
left join levels
    on
        results.standard_version = levels.standard_version
        and results.fitness_level = levels.fitness_level
left join schools
    on results.school_code = schools.school_code
left join rolls
    on
        results.pupil_key = rolls.pupil_key
        and results.school_year_start = rolls.school_year_start
