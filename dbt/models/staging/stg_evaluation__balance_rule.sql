-- one row per standard, district, rule and stage of the newest run
select
    standard,
    school_year_start,
    district_code,
    gate,
    gate_number,
    rule_number,
    rule_code,
    stage_code,
    state,
    value,
    reported_value,
    threshold,
    operator,
    value_source,
    reason,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_rule') }}
