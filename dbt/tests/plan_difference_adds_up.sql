-- a plan indicator whose parts do not add to the difference of reported and counted value
select unit_level, unit_code, indicator_code, indicator_year
from {{ ref('fct_plan_difference') }}
where
    by_date + by_scope + by_missing + by_codes + unexplained <> value_difference
    or value_difference <> reported_indicator_value - counted_indicator_value
