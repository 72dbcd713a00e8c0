-- one row per level, grades and lead: real errors of the forecasts that the same method would have made in past years
with errors as (select * from {{ ref('stg_places__forecast_error') }})

select
    level as unit_level,
    grade_key as grade_span,
    lead as lead_years,
    origin_count,
    unit_count,
    mape_percent,
    bias_percent,
    coverage_80_share,
    coverage_90_share,
    interval_score_80_percent,
    method as forecast_method,
    run_id as decided_by_run_id,
from errors
