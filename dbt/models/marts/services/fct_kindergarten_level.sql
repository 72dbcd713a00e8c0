-- one row per district, area and level of kindergartens that are open
with schools as (select * from {{ ref('dim_school') }} where is_open),

registered as (select * from {{ ref('stg_enrollment__school') }}),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

levels as (select * from {{ source('standards', 'kindergarten_level') }}),

children as (
    select school_code, sum(pupil_count) as child_count
    from {{ ref('fct_enrollment_grade') }}
    where stage_code = 'kindergarten' and is_newest_school_year
    group by school_code
)

select
    schools.district_code,
    schools.district_name_zh,
    schools.area_name,
    registered.kindergarten_level_code,
    levels.meaning_zh as kindergarten_level_zh,
    count(*)::integer as kindergarten_count,
    count(*) filter (where registered.is_inclusive_kindergarten)::integer as inclusive_kindergarten_count,
    coalesce(sum(schools.place_count), 0)::integer as place_count,
    coalesce(sum(children.child_count), 0)::integer as child_count,
    -- a level that nobody mapped may be any
    count(*) filter (where registered.is_kindergarten_level_unmapped)::integer as unmapped_count,
from schools
left join registered
    on schools.school_code = registered.school_code
left join types
    on schools.school_type_code = types.code
left join levels
    on registered.kindergarten_level_code = levels.code
left join children
    on schools.school_code = children.school_code
where types.stage_code = 'kindergarten' or registered.kindergarten_level_code is not null
group by all
