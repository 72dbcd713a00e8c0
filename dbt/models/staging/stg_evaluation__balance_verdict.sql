-- one row per standard and district of the newest run
select
    standard,
    school_year_start,
    district_code,
    verdict,
    first_failed_gate,
    first_failed_rule,
    first_failed_state,
    met_count,
    not_met_count,
    not_collected_count,
    not_applicable_count,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_verdict') }}
