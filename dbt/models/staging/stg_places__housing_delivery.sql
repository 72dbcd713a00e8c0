-- one row per housing project, as stated last
select
    housing_project_code,
    housing_project_name,
    district_code,
    area_name,
    dwelling_count,
    delivery_date,
    housing_status_code,
    housing_kind_code,
    stated_on,
from {{ source('newest_by_scope', 'clean_places__housing_delivery') }}
