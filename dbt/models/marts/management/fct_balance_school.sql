-- one row per balance standard, school and stage
with schools as (select * from {{ ref('stg_evaluation__balance_school') }}),

names as (select * from {{ ref('dim_school') }}),

districts as (select * from {{ ref('dim_district') }})

select
    schools.standard,
    schools.district_code,
    districts.district_name_zh,
    schools.school_code,
    names.school_name,
    schools.school_year_start,
    schools.stage_code,
    schools.pupil_count,
    schools.met_count,
    schools.lowest_share_of_threshold,
    schools.verdict,
    schools.missing_reason,
    schools.run_id as decided_by_run_id,
from schools
left join names
    on schools.school_code = names.school_code
left join districts
    on schools.district_code = districts.district_code
