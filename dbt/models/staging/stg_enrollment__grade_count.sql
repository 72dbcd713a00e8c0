-- one row per unit, school year, grade and sender that counts it
with statements as ({{ in_force('clean_enrollment__grade_count') }})

select
    unit_code,
    parent_unit_code,
    school_year_start,
    grade_key,
    pupil_count,
    sender_code,
    stated_on,
    delivery_no,
    _file_sha256,
    _line_number,
from statements
