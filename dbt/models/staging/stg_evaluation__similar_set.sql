-- one row per school and stage, of the newest vintage
select
    run_id,
    recorded_at,
    school_code,
    stage_code,
    school_kind,
    school_year_start,
    stage_pupil_count,
    zone_code,
    mobility_share,
    migrant_share,
    boarding_share,
    missing_variables,
    candidate_count,
    set_size,
    farthest_distance,
    refused_reason,
from {{ source('newest_by_scope', 'decision_evaluation__similar_set') }}
