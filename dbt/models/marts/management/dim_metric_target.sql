-- one row per plan and metric: base and target, in the metric's unit, and the days on which they are in force
select
    plan_code,
    indicator_code as metric_code,
    base_year::integer as base_year,
    base_value::decimal(12, 4) as base_value,
    target_year::integer as target_year,
    target_value::decimal(12, 4) as target_value,
    target_operator,
    valid_from::date as valid_from,
    valid_to::date as valid_to,
from {{ source('standards', 'plan_indicator_target') }}
