-- one row per item, sex and month of age: the smoothed percentiles of the lake's own results
with curves as (select * from {{ ref('stg_fitness__percentile') }})

select
    item_code,
    sex_code,
    age_months,
    pupil_count as curve_pupil_count,
    {% for percent in [3, 10, 25, 50, 75, 90, 97] -%}
    p{{ percent }}::decimal(8, 2) as value_p{{ percent }},
    {% endfor -%}
    method as percentile_method,
from curves
