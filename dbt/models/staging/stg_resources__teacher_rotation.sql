-- one row per teacher and first day of the rotation
select
    from_school_code,
    to_school_code,
    rotation_kind_code,
    subject_code,
    backbone_level_code,
    rotation_start_date,
    rotation_end_date,
from {{ source('newest_by_scope', 'clean_resources__teacher_rotation') }}
