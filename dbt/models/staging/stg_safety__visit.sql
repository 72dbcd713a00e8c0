-- one row per visit of the newest run's inspection plan
select visit_rank, school_code, visit_number, risk_before, risk_lowered, risk_lowered_total
from {{ source('newest_by_scope', 'decision_safety__inspection') }}
