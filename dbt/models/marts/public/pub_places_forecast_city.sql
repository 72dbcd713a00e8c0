-- one row per grade span (stage, all), stage and school year, for the whole city
with forecasts as (
    select *, round(forecast_count)::integer as pupil_count
    from {{ ref('fct_places_forecast') }}
    where unit_level = 'city' and grade_span in ('stage', 'all')
),

stages as (select * from {{ source('standards', 'stage') }})

select
    forecasts.grade_span,
    forecasts.stage_code,
    coalesce(stages.meaning_zh, '全部') as stage_zh,
    forecasts.is_stage_total,
    forecasts.school_year_start,
    forecasts.school_year,
    forecasts.origin_school_year_start,
    forecasts.lead_years,
    forecasts.forecast_count,
    forecasts.lower_80_count,
    forecasts.upper_80_count,
    -- a forecast of a few pupils would speak about those who are there: jobs/publish/protect
    null::varchar as forecast_missing_reason,
    coalesce(forecasts.is_base_complete, true) as is_base_complete,
    forecasts.forecast_method,
from forecasts
left join stages
    on forecasts.stage_code = stages.code
