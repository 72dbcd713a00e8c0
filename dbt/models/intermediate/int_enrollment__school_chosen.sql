-- one row per school; of two districts that list the same school the newer statement stands
with schools as (select * from {{ ref('stg_enrollment__school') }})

select
    school_code,
    school_name,
    district_code,
    area_name,
    school_type_code,
    ownership_code,
    place_count,
    class_count,
    opened_date,
    closed_date,
    has_unmapped_code,
from schools
qualify
    row_number() over (
        partition by school_code
        order by stated_on desc, delivery_no desc, sender_code, _file_sha256, _line_number
    ) = 1
