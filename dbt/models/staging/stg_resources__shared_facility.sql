-- one row per shared facility, of its district's newest list
select
    facility_code,
    facility_name,
    school_code,
    facility_kind_code,
    facility_area_m2,
    is_open_to_public,
    weekly_open_h,
    shared_since_date,
    stated_on,
    {{ has_unmapped_code(['facility_kind_code', 'is_open_to_public']) }} as has_unmapped_code,
from {{ source('chosen', 'clean_resources__shared_facility') }}
