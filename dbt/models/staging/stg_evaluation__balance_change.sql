-- one row per standard, district, stage, school and change of the newest run
select
    standard,
    school_year_start,
    district_code,
    stage_code,
    school_code,
    change_kind,
    resource,
    amount,
    other_school_code,
    cost_yuan,
    least_cost_yuan,
    missing_reason,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_change') }}
