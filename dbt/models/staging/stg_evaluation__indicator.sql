-- one row per level, unit, indicator and year, of the newest vintage
with vintage as ({{ latest_vintage('decision_evaluation__indicator') }})

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
from vintage
