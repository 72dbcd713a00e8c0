-- one row per unit, school year and grade; of two senders that count the same unit the newer statement stands
{{ config(materialized='table') }}

with grade_counts as (select * from {{ ref('stg_enrollment__grade_count') }})

select unit_code, parent_unit_code, school_year_start, grade_key, pupil_count
from grade_counts
qualify
    row_number() over (
        partition by unit_code, school_year_start, grade_key
        order by stated_on desc, delivery_no desc, sender_code, _file_sha256, _line_number
    ) = 1
