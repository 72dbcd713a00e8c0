-- one row per child and admission year, as stated last
select
    pupil_key,
    school_year_start,
    district_code,
    area_name,
    stage_code,
    registered_date,
    is_local_household,
    audit_state_code,
    {{ has_unmapped_code(['district_code', 'stage_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_places__school_age_registration') }}
