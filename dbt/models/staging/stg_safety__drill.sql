-- one row per school, day and kind of drill
with statements as ({{ in_force('clean_safety__drill') }})

select school_code, drill_date, drill_kind_code, participant_count, evacuation_seconds
from statements
