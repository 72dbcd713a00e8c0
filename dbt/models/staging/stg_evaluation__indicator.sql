-- one row per level, unit, indicator and year, of the newest vintage
select
    run_id,
    recorded_at,
    level,
    unit_code,
    indicator_code,
    indicator_year,
    indicator_value,
    base_value,
    target_value,
    target_operator,
    gap_to_target,
    is_met,
    progress_share,
    source,
    missing_reason,
from {{ source('newest_by_scope', 'decision_evaluation__indicator') }}
