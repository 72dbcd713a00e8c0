-- one row per school and spell: days from `valid_from` on, before `valid_to`, on which nothing of the row changed
with spells as (select * from {{ ref('int_enrollment__school_spell') }}),

endings as (select * from {{ ref('int_enrollment__school_successor') }}),

schools as (select * from {{ ref('int_enrollment__school') }})

select
    spells.school_code,
    spells.valid_from,
    spells.valid_to,
    spells.school_name,
    spells.district_code,
    spells.area_name,
    spells.is_open,
    endings.successor_school_code,
    coalesce(endings.as_now_school_code, spells.school_code) as as_now_school_code,
    schools.school_name as as_now_school_name,
    schools.district_code as as_now_district_code,
    schools.area_name as as_now_area_name,
from spells
left join endings
    on spells.school_code = endings.school_code and spells.ended_date = endings.closed_date
left join schools
    on coalesce(endings.as_now_school_code, spells.school_code) = schools.school_code
