-- one row per group, school and district office that lists it
with statements as ({{ in_force('clean_resources__school_group') }})

select
    school_group_code,
    school_group_name,
    school_code,
    group_role_code,
    sender_code,
    stated_on,
    delivery_no,
    _file_sha256,
    _line_number,
from statements
