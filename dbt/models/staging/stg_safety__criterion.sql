-- one row per school and criterion of the newest run
select
    school_code,
    criterion_code,
    criterion_zh,
    criterion_value,
    criterion_threshold,
    criterion_operator,
    criterion_unit,
    is_required,
    is_criterion_met,
    criterion_missing_reason,
    evidence_date,
    criterion_source,
    run_id,
from {{ source('newest_by_scope', 'decision_safety__criterion') }}
