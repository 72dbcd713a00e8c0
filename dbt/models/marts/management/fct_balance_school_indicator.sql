-- one row per balance standard, school, stage and resource indicator
with indicators as (select * from {{ ref('stg_evaluation__balance_school_indicator') }}),

names as (select * from {{ ref('dim_school') }})

select
    indicators.standard,
    indicators.district_code,
    indicators.school_code,
    names.school_name,
    indicators.school_year_start,
    indicators.stage_code,
    indicators.indicator_code,
    indicators.quantity,
    indicators.indicator_value,
    indicators.threshold,
    indicators.is_met,
    indicators.share_of_threshold,
    indicators.special_case,
    indicators.missing_reason,
    indicators.run_id as decided_by_run_id,
from indicators
left join names
    on indicators.school_code = names.school_code
