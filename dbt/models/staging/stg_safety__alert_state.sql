-- one row per alert, state and day
with statements as ({{ in_force('clean_safety__alert_state') }})

select alert_id, alert_state_code, stated_date
from statements
