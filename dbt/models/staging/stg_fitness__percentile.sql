-- one row per item, sex and month of age, of the newest vintage
select
    item_code,
    sex_code,
    age_months,
    pupil_count,
    l,
    m,
    s,
    value_offset,
    p3,
    p10,
    p25,
    p50,
    p75,
    p90,
    p97,
    method,
from {{ source('newest_by_scope', 'decision_fitness__percentile') }}
