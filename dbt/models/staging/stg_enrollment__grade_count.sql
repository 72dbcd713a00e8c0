-- one row per unit, school year and grade
{{ config(materialized='table') }}

select
    unit_code,
    parent_unit_code,
    school_year_start,
    grade_key,
    pupil_count,
    _delivery_id,
    _file_sha256,
from {{ source('chosen', 'clean_enrollment__grade_count') }}
