-- one row per catchment and school year
select
    catchment_code,
    school_year_start,
    school_code,
    stage_code,
    district_code,
    area_name,
    dwelling_count,
    center_longitude,
    center_latitude,
    boundary_wkt,
from {{ source('newest_by_scope', 'clean_places__catchment') }}
