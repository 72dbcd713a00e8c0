-- one row per alert, state and day
select alert_id, alert_state_code, stated_date, written_time
from {{ source('newest_by_scope', 'clean_safety__alert_state') }}
