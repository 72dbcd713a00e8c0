-- one row per building project
with projects as (select * from {{ ref('stg_places__capacity_project') }}),

districts as (select * from {{ ref('dim_district') }}),

statuses as (select * from {{ source('standards', 'project_status') }})

select
    projects.project_code,
    projects.project_name,
    projects.district_code,
    districts.district_name_zh,
    projects.stage_code,
    projects.place_count,
    projects.planned_opening_date,
    projects.project_status_code,
    statuses.meaning_zh as project_status_zh,
    -- Opened places are in the register already; cancelled ones never come. A code that nobody mapped is not counted.
    coalesce(projects.project_status_code in ('planned', 'building'), false) as is_coming,
    -- What should stand and does not serves the next school year at the earliest.
    greatest(
        {{ first_school_year('projects.planned_opening_date') }},
        {{ first_school_year(as_of_date()) }}
    )::integer as first_school_year_start,
    coalesce(
        projects.project_status_code in ('planned', 'building')
        and projects.planned_opening_date <= {{ as_of_date() }},
        false
    ) as is_late,
    projects.stated_on,
    projects.has_unmapped_code,
from projects
left join districts
    on projects.district_code = districts.district_code
left join statuses
    on projects.project_status_code = statuses.code
