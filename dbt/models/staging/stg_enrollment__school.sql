-- one row per school and district office that lists it
with statements as ({{ in_force('clean_enrollment__school') }})

select
    school_code,
    school_name,
    district_code,
    area_name,
    school_type_code,
    ownership_code,
    place_count,
    class_count,
    opened_date,
    closed_date,
    {{ has_unmapped_code(['district_code', 'school_type_code', 'ownership_code']) }} as has_unmapped_code,
    sender_code,
    stated_on,
    delivery_no,
    _file_sha256,
    _line_number,
from statements
