-- one row per open hazard of the newest run
select school_code, hazard_code, days_after_due, escalation_level, escalation_owner
from {{ source('newest_by_scope', 'decision_safety__hazard') }}
