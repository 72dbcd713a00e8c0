-- one row per housing project, as stated last
select
    projects.housing_project_code,
    projects.housing_project_name,
    projects.district_code,
    districts.district_name_zh,
    projects.area_name,
    projects.dwelling_count,
    projects.delivery_date,
    {{ first_school_year('projects.delivery_date') }}::integer as handover_school_year_start,
    projects.housing_status_code,
    statuses.meaning_zh as housing_status_zh,
    projects.housing_kind_code,
    kinds.meaning_zh as housing_kind_zh,
    coalesce(projects.housing_status_code in ('planned', 'building'), false) as is_home_coming,
    coalesce(
        projects.housing_status_code in ('planned', 'building') and projects.delivery_date < {{ as_of_date() }}, false
    ) as is_handover_late,
    projects.stated_on,
from {{ ref('stg_places__housing_delivery') }} as projects
left join {{ ref('int_enrollment__district') }} as districts
    on projects.district_code = districts.district_code
left join {{ source('standards', 'housing_status') }} as statuses
    on projects.housing_status_code = statuses.code
left join {{ source('standards', 'housing_kind') }} as kinds
    on projects.housing_kind_code = kinds.code
