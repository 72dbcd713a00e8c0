-- one row per member of staff and school, as last stated
select
    school_code,
    staff_post_code,
    stage_code,
    education_level_code,
    has_teaching_certificate,
    {{ has_unmapped_code(['staff_post_code', 'stage_code', 'education_level_code']) }} as has_unmapped_code,
from {{ source('chosen', 'clean_enrollment__staff') }}
