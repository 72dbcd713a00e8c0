-- one row per pupil and school year: enrolled pupils (在学) of the first term whose roll the lake holds, and those
-- whose state on the roll nobody mapped
{{ config(materialized='table') }}

with rolls as (select * from {{ ref('stg_enrollment__pupil_roll') }})

select
    pupil_key,
    school_year_start,
    school_code,
    grade_key,
    sex_code,
    is_migrant_child,
    attendance_mode_code,
    pupil_status_code is null as is_status_unmapped,
from rolls
where pupil_status_code = '1' or pupil_status_code is null
qualify
    row_number() over (
        partition by pupil_key, school_year_start
        -- on two schools' rolls at once: one of them, always the same
        order by is_status_unmapped, term, school_code, grade_key, class_name
    ) = 1
