-- one row per unit (a district, or `city`), school year and stage of the official bulletins
select
    unit_code,
    school_year_start,
    stage_code,
    published_school_count,
    published_pupil_count,
    published_teacher_count,
    source_document,
    published_date,
    sender_code,
from {{ source('newest_by_scope', 'clean_evaluation__control_total') }}
