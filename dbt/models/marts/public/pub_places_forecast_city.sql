-- one row per grade span (stage, all), stage and school year, for the whole city
with forecasts as (
    select *, round(forecast_count)::integer as pupil_count
    from {{ ref('fct_places_forecast') }}
    where unit_level = 'city' and grade_span in ('stage', 'all')
),

stages as (select * from {{ source('standards', 'stage') }}),

judged as (
    select
        *,
        -- a forecast of a few pupils would speak about those who are there; stages add up to all grades
        {{ hidden_reason(['pupil_count'], ['grade_span', 'school_year_start'], ['stage_code']) }}
            as forecast_missing_reason,
    from forecasts
)

select
    judged.grade_span,
    judged.stage_code,
    coalesce(stages.meaning_zh, '全部') as stage_zh,
    judged.school_year_start,
    judged.school_year,
    judged.origin_school_year_start,
    judged.lead_years,
    case when judged.forecast_missing_reason is null then judged.forecast_count end as forecast_count,
    case when judged.forecast_missing_reason is null then judged.lower_80_count end as lower_80_count,
    case when judged.forecast_missing_reason is null then judged.upper_80_count end as upper_80_count,
    judged.forecast_missing_reason,
    judged.forecast_method,
from judged
left join stages
    on judged.stage_code = stages.code
