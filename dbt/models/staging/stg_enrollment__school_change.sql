-- one row per school before the change and day
with statements as ({{ in_force('clean_enrollment__school_change') }})

select
    from_school_code,
    to_school_code,
    change_kind_code,
    change_date,
    new_school_name,
    sender_code,
    stated_on,
    delivery_no,
    _file_sha256,
    _line_number,
from statements
