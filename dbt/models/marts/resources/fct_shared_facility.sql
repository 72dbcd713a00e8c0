-- one row per shared facility, of its district's newest list
with facilities as (select * from {{ ref('stg_resources__shared_facility') }}),

schools as (select * from {{ ref('dim_school') }}),

kinds as (select * from {{ source('standards', 'facility_kind') }})

select
    facilities.facility_code,
    facilities.facility_name,
    facilities.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    schools.area_name,
    facilities.facility_kind_code,
    kinds.meaning_zh as facility_kind_zh,
    facilities.facility_area_m2,
    facilities.is_open_to_public,
    facilities.weekly_open_h,
    facilities.shared_since_date,
    facilities.stated_on,
    facilities.has_unmapped_code,
from facilities
left join schools
    on facilities.school_code = schools.school_code
left join kinds
    on facilities.facility_kind_code = kinds.code
