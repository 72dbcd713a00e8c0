-- one row per level, grades and lead, of the newest vintage
select
    run_id,
    recorded_at,
    level,
    grade_key,
    lead,
    origin_count,
    unit_count,
    mape_percent,
    bias_percent,
    coverage_80_share,
    coverage_90_share,
    interval_score_80_percent,
    method,
from {{ source('newest_by_scope', 'decision_places__forecast_error') }}
