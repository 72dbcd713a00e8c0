-- one row per school and hazard, as last stated
with hazards as (select * from {{ ref('stg_safety__hazard') }}),

watched as (select * from {{ ref('stg_safety__hazard_watch') }}),

schools as (select * from {{ ref('dim_school') }}),

categories as (select * from {{ source('standards', 'hazard_category') }}),

grades as (select * from {{ source('standards', 'hazard_grade') }}),

statuses as (select * from {{ source('standards', 'hazard_status') }})

select
    hazards.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    hazards.hazard_code,
    hazards.found_date,
    hazards.hazard_category_code,
    categories.meaning_zh as hazard_category_zh,
    hazards.hazard_grade_code,
    grades.meaning_zh as hazard_grade_zh,
    hazards.hazard_due_date,
    hazards.hazard_status_code,
    statuses.meaning_zh as hazard_status_zh,
    hazards.hazard_done_date,
    (hazards.hazard_done_date - hazards.found_date)::integer as days_to_mend,
    watched.hazard_code is not null as is_hazard_open,
    coalesce(watched.days_after_due > 0, false) as is_hazard_overdue,
    watched.days_after_due,
    watched.escalation_level,
    watched.escalation_owner,
    hazards.has_unmapped_code,
from hazards
left join watched
    on hazards.school_code = watched.school_code and hazards.hazard_code = watched.hazard_code
left join schools
    on hazards.school_code = schools.school_code
left join categories
    on hazards.hazard_category_code = categories.code
left join grades
    on hazards.hazard_grade_code = grades.code
left join statuses
    on hazards.hazard_status_code = statuses.code
