-- one row per school and grade that has pupils: its places, by the register, by classes and by premises
with places as (select * from {{ ref('stg_places__supply') }}),

schools as (select * from {{ ref('dim_school') }})

select
    places.school_code,
    schools.school_name,
    schools.district_code,
    places.stage_code,
    places.grade_key,
    places.class_count,
    places.class_place_count,
    places.premises_place_count,
    places.place_count,
    places.run_id as decided_by_run_id,
from places
left join schools
    on places.school_code = schools.school_code
