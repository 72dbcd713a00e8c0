-- one row per school, stage and similar school
with members as (select * from {{ ref('stg_evaluation__similar_school') }}),

schools as (select * from {{ ref('dim_school') }})

select
    members.school_code,
    schools.school_name,
    schools.district_code,
    members.stage_code,
    members.similar_order,
    members.comparator_school_code,
    comparators.school_name as comparator_school_name,
    comparators.district_code as comparator_district_code,
    members.similar_distance,
    members.size_contribution,
    members.mobility_contribution,
    members.zone_contribution,
    members.migrant_contribution,
    members.boarding_contribution,
    members.run_id as decided_by_run_id,
from members
left join schools
    on members.school_code = schools.school_code
left join schools as comparators
    on members.comparator_school_code = comparators.school_code
