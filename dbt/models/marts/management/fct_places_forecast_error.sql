-- one row per level, grades and lead: real errors of the forecasts that the same method would have made in past years
with errors as (select * from {{ ref('stg_places__forecast_error') }})

select
    level as unit_level,
    grade_key as grade_span,
    lead as lead_years,
    origin_count,
    unit_count,
    (mape_percent / 100)::decimal(9, 5) as mape_share,
    (bias_percent / 100)::decimal(9, 5) as bias_share,
    coverage_80_share,
    coverage_90_share,
    (interval_score_80_percent / 100)::decimal(9, 5) as interval_score_80_share,
    method as forecast_method,
    run_id as decided_by_run_id,
from errors
