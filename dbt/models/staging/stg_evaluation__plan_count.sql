-- one row per year, plan indicator, school and stage, of the newest vintage
select
    count_year,
    indicator_code,
    district_code,
    school_code,
    stage_code,
    school_type_code,
    ownership_code,
    is_in_scope,
    is_missing,
    yes_count,
    known_count,
    unknown_count,
from {{ source('newest_by_scope', 'decision_evaluation__plan_count') }}
