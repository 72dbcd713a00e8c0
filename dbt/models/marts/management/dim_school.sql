-- one row per school that a register ever listed, and per unit of the grade returns that none did, by its own code
with schools as (select * from {{ ref('int_enrollment__school') }}),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

ownerships as (select * from {{ source('standards', 'ownership') }})

select
    schools.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    schools.area_name,
    schools.school_type_code,
    types.meaning_zh as school_type_zh,
    schools.ownership_code,
    ownerships.meaning_zh as ownership_zh,
    schools.place_count,
    schools.class_count,
    schools.opened_date,
    schools.closed_date,
    schools.successor_school_code,
    schools.is_registered,
    schools.is_open,
    schools.has_unmapped_code,
from schools
left join types
    on schools.school_type_code = types.code
left join ownerships
    on schools.ownership_code = ownerships.code
