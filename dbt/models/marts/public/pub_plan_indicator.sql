-- one row per plan indicator and year, for the whole city; no counts of persons
with indicators as (select * from {{ ref('fct_plan_indicator') }} where unit_level = 'city')

select
    indicator_code,
    indicator_no,
    indicator_zh,
    indicator_en,
    indicator_unit_zh,
    indicator_year,
    indicator_value,
    base_value,
    target_value,
    target_operator,
    gap_to_target,
    is_met,
    progress_share,
    is_newest_year,
    missing_reason,
from indicators
