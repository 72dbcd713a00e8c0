-- one row per housing project, as stated last
with statements as ({{ in_force('clean_places__housing_delivery') }})

select
    housing_project_code,
    housing_project_name,
    district_code,
    area_name,
    dwelling_count,
    delivery_date,
    housing_status_code,
    stated_on,
from statements
