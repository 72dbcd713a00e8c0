-- one row per district that any feed names; a code outside the national list (a region, a borough) is its own name
select
    district_code,
    district_name_zh,
    district_name_en,
    zone_code,
    zone_name_zh,
    is_central_six,
    resident_2020_count,
from {{ ref('int_enrollment__district') }}
