-- one row per project to come and school year, of the newest vintage
select
    run_id,
    recorded_at,
    project_code,
    school_code,
    district_code,
    area_name,
    stage_code,
    school_year_start,
    place_count,
    open_probability,
from {{ source('newest_by_scope', 'decision_places__coming') }}
