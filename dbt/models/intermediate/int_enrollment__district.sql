-- one row per district that any feed names; a code outside the national list (a region, a borough) is its own name
{{ config(materialized='table') }}

with named as (
    select district_code from {{ ref('stg_enrollment__school') }}
    union
    select parent_unit_code from {{ ref('stg_enrollment__grade_count') }}
    union
    select district_code from {{ ref('stg_places__capacity_project') }}
    union
    select district_code from {{ ref('stg_evaluation__indicator_value') }}
),

districts as (select * from {{ source('standards', 'district') }})

select
    named.district_code,
    coalesce(districts.meaning_zh, named.district_code) as district_name_zh,
    coalesce(districts.meaning_en, named.district_code) as district_name_en,
    districts.zone_code,
    districts.zone_zh as zone_name_zh,
    districts.in_central_six = '1' as is_central_six,
    districts.residents_2020::integer as resident_2020_count,
from named
left join districts
    on named.district_code = districts.code
where named.district_code is not null
