-- one row per standard, school, stage and indicator of the newest run
select
    standard,
    school_year_start,
    district_code,
    school_code,
    stage_code,
    indicator_code,
    quantity,
    indicator_value,
    threshold,
    is_met,
    share_of_threshold,
    special_case,
    missing_reason,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_school_indicator') }}
