-- one row per plan indicator and year, for the whole city; no counts of persons
with indicators as (
    select judged.* replace (told.metric_value::decimal(12, 4) as indicator_value)
    from {{ ref('fct_plan_indicator') }} as judged
    left join {{ ref('fct_metric_value') }} as told
        on
            judged.indicator_code = told.metric_code
            and told.value_basis = 'reported'
            and told.unit_level = 'city'
            and judged.indicator_year = told.period_year
    where judged.unit_level = 'city'
)

select
    indicator_code,
    indicator_no,
    indicator_zh,
    indicator_en,
    indicator_unit_zh,
    plan_code,
    indicator_year,
    indicator_value,
    base_year,
    base_value,
    target_year,
    target_value,
    target_operator,
    gap_to_target,
    is_met,
    progress_share,
    path_value,
    forecast_value,
    forecast_low_value,
    forecast_high_value,
    target_probability,
    status_code,
    status_zh,
    is_newest_year,
    missing_reason,
from indicators
