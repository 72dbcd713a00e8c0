-- one row per level, unit, grade (or all) and school year, of the newest vintage
select
    run_id,
    recorded_at,
    origin,
    level,
    unit_code,
    parent_unit_code,
    grade_key,
    school_year_start,
    lead,
    forecast,
    lower_80,
    upper_80,
    lower_90,
    upper_90,
    method,
from {{ source('newest_by_scope', 'decision_places__forecast') }}
