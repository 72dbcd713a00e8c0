-- one row per school: each in a register, and each unit of the grade returns that is in none, by its own code
{{ config(materialized='table') }}

with registered as (select * from {{ ref('stg_enrollment__school') }}),

returned as (
    select
        unit_code,
        parent_unit_code,
        school_year_start = max(school_year_start) over () as is_counted_last,
    from {{ ref('stg_enrollment__grade_count') }}
    -- a unit that changed its district belongs to the newest one
    qualify row_number() over (partition by unit_code order by school_year_start desc, parent_unit_code) = 1
),

districts as (select * from {{ ref('int_enrollment__district') }}),

ended as (select * from {{ ref('int_enrollment__school_successor') }}),

schools as (
    select
        coalesce(registered.school_code, returned.unit_code) as school_code,
        coalesce(registered.school_name, returned.unit_code) as school_name,
        coalesce(registered.district_code, returned.parent_unit_code) as district_code,
        registered.area_name,
        registered.school_type_code,
        registered.ownership_code,
        registered.place_count,
        registered.class_count,
        registered.opened_date,
        -- a register may still list a code that was merged or replaced; one opened since was given out again
        least(
            registered.closed_date,
            case when coalesce(registered.opened_date < ended.closed_date, true) then ended.closed_date end
        ) as closed_date,
        case
            when coalesce(registered.opened_date < ended.closed_date, true) then ended.successor_school_code
        end as successor_school_code,
        registered.school_code is not null as is_registered,
        coalesce(registered.has_unmapped_code, false) as has_unmapped_code,
        -- without a register, a school that the newest returns still count is open
        case
            when registered.school_code is null then returned.is_counted_last and ended.school_code is null
            else
                coalesce(registered.closed_date > {{ as_of_date() }}, true)
                and coalesce(registered.opened_date >= ended.closed_date, ended.school_code is null)
        end as is_open,
    from registered
    full outer join returned
        on registered.school_code = returned.unit_code
    left join ended
        on coalesce(registered.school_code, returned.unit_code) = ended.school_code
)

select
    schools.school_code,
    schools.school_name,
    schools.district_code,
    districts.district_name_zh,
    districts.zone_code,
    schools.area_name,
    schools.school_type_code,
    schools.ownership_code,
    schools.place_count,
    schools.class_count,
    schools.opened_date,
    schools.closed_date,
    schools.successor_school_code,
    schools.is_registered,
    schools.is_open,
    schools.has_unmapped_code,
    -- listed, in a district whose code nobody mapped
    schools.is_registered and schools.district_code is null as is_district_unmapped,
from schools
left join districts
    on schools.district_code = districts.district_code
