-- one row per pupil, kind of change on the roll and day
select
    pupil_key,
    roll_change_kind_code,
    change_date,
    school_code,
    counterpart_school_code,
    grade_key,
from {{ source('newest_by_scope', 'clean_enrollment__roll_change') }}
