-- one row per school before the change and day
select
    from_school_code,
    to_school_code,
    change_kind_code,
    change_date,
    new_school_name,
    new_district_code,
    sender_code,
    stated_on,
    delivery_no,
    _file_sha256,
    _line_number,
from {{ source('newest_by_scope', 'clean_enrollment__school_change') }}
