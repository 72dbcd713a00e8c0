-- one row per project to come and school year that is forecast
with coming as (select * from {{ ref('stg_places__coming') }}),

districts as (select * from {{ ref('dim_district') }})

select
    coming.project_code,
    coming.district_code,
    districts.district_name_zh,
    coming.stage_code,
    coming.school_year_start,
    {{ school_year_label('coming.school_year_start') }} as school_year,
    coming.place_count,
    coming.open_probability,
    coming.run_id as decided_by_run_id,
from coming
left join districts
    on coming.district_code = districts.district_code
