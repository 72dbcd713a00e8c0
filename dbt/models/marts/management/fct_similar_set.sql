-- one row per school and stage: what it is compared by, and the set of similar schools or why it has none
with sets as (select * from {{ ref('stg_evaluation__similar_set') }}),

schools as (select * from {{ ref('dim_school') }}),

stages as (select * from {{ source('standards', 'stage') }})

select
    sets.school_code,
    schools.school_name,
    schools.district_code,
    sets.stage_code,
    stages.meaning_zh as stage_zh,
    sets.school_kind,
    sets.school_year_start,
    sets.stage_pupil_count,
    sets.zone_code,
    sets.mobility_share,
    sets.migrant_share,
    sets.boarding_share,
    sets.missing_variables,
    sets.candidate_count,
    sets.set_size,
    -- every candidate is in it, so that nothing was chosen
    sets.set_size > 0 and sets.set_size = sets.candidate_count as is_whole_stage,
    sets.farthest_distance,
    sets.refused_reason,
    sets.run_id as decided_by_run_id,
from sets
left join schools
    on sets.school_code = schools.school_code
left join stages
    on sets.stage_code = stages.code
