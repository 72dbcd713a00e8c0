-- one row per area (学区) of a district that a school, a project or a forecast names
with named as (
    select
        district_code,
        area_name,
    from {{ ref('stg_enrollment__school') }}
    union
    select
        district_code,
        area_name,
    from {{ ref('stg_places__capacity_project') }}
    union
    select
        district_code,
        area_name,
    from {{ ref('int_enrollment__school_spell') }}
    union
    -- what lies in no area stands in the forecast as an area of its own: `(none)`
    select
        district_code,
        split_part(unit_code, '/', -1) as area_name,
    from {{ ref('stg_places__gap') }}
    where level = 'area'
),

districts as (select * from {{ ref('int_enrollment__district') }})

select
    named.district_code || '/' || named.area_name as area_key,
    named.district_code,
    districts.district_name_zh,
    districts.zone_code,
    named.area_name,
from named
left join districts
    on named.district_code = districts.district_code
where named.district_code is not null and named.area_name is not null
