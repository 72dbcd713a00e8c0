-- one row per school
select
    school_code,
    school_name,
    district_code,
    area_name,
    school_type_code,
    ownership_code,
    place_count,
    class_count,
    kindergarten_level_code,
    is_inclusive_kindergarten,
    opened_date,
    closed_date,
    {{ has_unmapped_code(['district_code', 'school_type_code', 'ownership_code']) }} as has_unmapped_code,
    {{ has_unmapped_code(['kindergarten_level_code']) }} as is_kindergarten_level_unmapped,
    _delivery_id,
    _file_sha256,
from {{ source('chosen', 'clean_enrollment__school') }}
