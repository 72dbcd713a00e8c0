-- one row per visit of the newest run's inspection plan
with vintage as ({{ latest_vintage('decision_safety__inspection') }})

select visit_rank, school_code, visit_number, risk_before, risk_lowered, risk_lowered_total
from vintage
