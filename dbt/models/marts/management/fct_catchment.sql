-- one row per catchment and school year
select
    catchments.catchment_code,
    catchments.school_year_start,
    {{ school_year_label('catchments.school_year_start') }} as school_year,
    catchments.school_code,
    schools.school_name,
    coalesce(schools.is_open, false) as is_open,
    catchments.stage_code,
    stages.meaning_zh as stage_zh,
    catchments.district_code,
    districts.district_name_zh,
    catchments.area_name,
    catchments.dwelling_count,
    catchments.center_longitude,
    catchments.center_latitude,
    catchments.school_year_start
    = max(catchments.school_year_start) over (partition by catchments.district_code) as is_newest_school_year,
from {{ ref('stg_places__catchment') }} as catchments
left join {{ ref('int_enrollment__school') }} as schools
    on catchments.school_code = schools.school_code
left join {{ ref('int_enrollment__district') }} as districts
    on catchments.district_code = districts.district_code
left join {{ source('standards', 'stage') }} as stages
    on catchments.stage_code = stages.code
