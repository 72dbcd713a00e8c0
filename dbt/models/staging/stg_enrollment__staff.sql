-- one row per member of staff and school, as last stated; no birth date, which products show as age only
select
    school_code,
    staff_post_code,
    stage_code,
    subject_code,
    education_level_code,
    professional_title_code,
    backbone_level_code,
    date_sub('year', birth_date, {{ as_of_date() }})::integer as age_years,
    has_teaching_certificate,
    {{ has_unmapped_code(['staff_post_code', 'stage_code', 'education_level_code']) }} as has_unmapped_code,
    {{ has_unmapped_code([
        'staff_post_code', 'stage_code', 'subject_code', 'education_level_code', 'professional_title_code'
    ]) }} as has_unmapped_staff_code,
from {{ source('chosen', 'clean_enrollment__staff') }}
