-- one row per open hazard of the newest run
with vintage as ({{ latest_vintage('decision_safety__hazard') }})

select school_code, hazard_code, days_after_due, escalation_level, escalation_owner
from vintage
