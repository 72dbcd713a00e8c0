-- one row per school and day of check
select
    school_code,
    checked_date,
    guard_count,
    is_closed_campus,
    has_linked_alarm,
    has_escort_post,
    key_part_count,
    video_key_part_count,
    gatehouse_hours,
    patrol_count,
from {{ source('newest_by_scope', 'clean_safety__guard_check') }}
