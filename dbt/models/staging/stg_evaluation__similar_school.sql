-- one row per school, stage and comparator, of the newest vintage
select
    run_id,
    recorded_at,
    school_code,
    stage_code,
    comparator_school_code,
    similar_order,
    similar_distance,
    size_contribution,
    mobility_contribution,
    zone_contribution,
    migrant_contribution,
    boarding_contribution,
from {{ source('newest_by_scope', 'decision_evaluation__similar_school') }}
