-- one row per school and grade, of the newest vintage
select
    run_id,
    recorded_at,
    school_code,
    stage_code,
    grade_key,
    class_count,
    class_place_count,
    premises_place_count,
    place_count,
from {{ source('newest_by_scope', 'decision_places__supply') }}
