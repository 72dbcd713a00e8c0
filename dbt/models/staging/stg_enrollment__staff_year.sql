-- one row per member of staff, school and school year: the last register that each office sent within the year
{{ config(materialized='table') }}

with stated as (
    select
        *,
        {{ school_year_of('stated_on') }}::integer as school_year_start,
    from {{ source('every_statement', 'clean_enrollment__staff') }}
    where stated_on <= {{ as_of_date() }}
    qualify
        dense_rank() over (
            partition by scope_key, {{ school_year_of('stated_on') }}
            order by stated_on desc, delivery_no desc, _file_sha256 desc
        ) = 1
)

select
    staff_key,
    school_code,
    school_year_start,
    staff_post_code,
    stage_code,
    {{ has_unmapped_code(['staff_post_code', 'stage_code']) }} as has_unmapped_code,
    sender_code,
    _delivery_id,
    _file_sha256,
from stated
where not is_withdrawn
