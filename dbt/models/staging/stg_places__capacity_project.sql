-- one row per building project, as stated last
select
    project_code,
    project_name,
    district_code,
    stage_code,
    place_count,
    planned_opening_date,
    project_status_code,
    area_name,
    school_code,
    project_kind_code,
    quality_place_count,
    expected_opening_date,
    actual_opening_date,
    stated_on,
    {{ has_unmapped_code(['district_code', 'stage_code', 'project_status_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_places__capacity_project') }}
