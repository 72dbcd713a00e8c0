-- one row per school that a register ever listed, and per unit of the grade returns that none did, by its own code
{{ config(materialized='table') }}

with registered as (select * from {{ ref('stg_enrollment__school') }}),

districts as (select * from {{ ref('int_enrollment__district') }}),

ended as (select * from {{ ref('int_enrollment__school_successor') }}),

now as (select * from {{ ref('int_enrollment__school_spell') }} where valid_to is null),

schools as (
    select
        now.school_code,
        coalesce(now.school_name, now.school_code) as school_name,
        now.district_code,
        now.area_name,
        registered.school_type_code,
        registered.ownership_code,
        registered.place_count,
        registered.class_count,
        registered.opened_date,
        case
            when not now.is_open or registered.closed_date > {{ as_of_date() }}
                then least(registered.closed_date, ended.closed_date)
        end as closed_date,
        ended.successor_school_code,
        registered.school_code is not null as is_registered,
        coalesce(registered.has_unmapped_code, false) as has_unmapped_code,
        now.is_open,
    from now
    left join registered
        on now.school_code = registered.school_code
    left join ended
        on now.school_code = ended.school_code and now.ended_date = ended.closed_date
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
