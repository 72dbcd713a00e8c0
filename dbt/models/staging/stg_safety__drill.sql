-- one row per school, day and kind of drill
select school_code, drill_date, drill_kind_code, participant_count, evacuation_seconds
from {{ source('newest_by_scope', 'clean_safety__drill') }}
