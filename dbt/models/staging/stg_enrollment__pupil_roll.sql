-- one row per pupil, term and reporting unit; no birth date, which products show as age only
{{ config(materialized='table') }}

select
    pupil_key,
    school_year_start,
    term,
    school_code,
    grade_key,
    class_name,
    entry_month,
    sex_code,
    attendance_mode_code,
    pupil_status_code,
    is_migrant_child,
    sender_code,
    stated_on,
from {{ source('newest_by_scope', 'clean_enrollment__pupil_roll') }}
