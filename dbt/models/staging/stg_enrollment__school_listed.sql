-- one row per school and school year: what the year's newest register that lists it says
with listed as (
    select
        *,
        {{ school_year_of('stated_on') }}::integer as school_year_start,
    from {{ source('every_statement', 'clean_enrollment__school') }}
    -- a register handed in again in the same school year replaces the one before, whole
    qualify
        dense_rank() over (
            partition by sender_code, {{ school_year_of('stated_on') }}
            order by stated_on desc, delivery_no desc, _file_sha256 desc
        ) = 1
)

select
    school_code,
    school_year_start,
    school_name,
    district_code,
    area_name,
    opened_date,
    closed_date,
from listed
where not is_withdrawn and coalesce(opened_date <= {{ as_of_date() }}, true)
-- where two districts list it, the newer register
qualify
    row_number() over (
        partition by school_code, school_year_start
        order by stated_on desc, delivery_no desc, _file_sha256 desc, _line_number desc
    ) = 1
