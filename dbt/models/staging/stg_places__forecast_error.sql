-- one row per level and lead, of the newest vintage
select
    run_id,
    recorded_at,
    level,
    lead,
    origin_count,
    unit_count,
    mape_percent,
    coverage_80_share,
    coverage_90_share,
    method,
from {{ source('newest_by_scope', 'decision_places__forecast_error') }}
