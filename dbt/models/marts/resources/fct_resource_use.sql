-- one row per month, district, stage of the pupils, resource and kind of user
with uses as (
    select *, ({{ school_year_of('use_date') }})::integer as school_year_start
    from {{ ref('stg_resources__resource_use') }}
),

resources as (select * from {{ ref('dim_digital_resource') }}),

schools as (select * from {{ ref('dim_school') }}),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

-- the stages that a school had in each year, and its district then
taught as (
    select
        school_code,
        school_year_start,
        max(district_code) as district_code,
        list(distinct stage_code) as stage_codes,
    from {{ ref('fct_enrollment_grade') }}
    group by school_code, school_year_start
),

taught_last as (
    select * from taught
    qualify row_number() over (partition by school_code order by school_year_start desc) = 1
),

placed as (
    select
        uses.*,
        coalesce(taught.district_code, schools.district_code) as district_code,
        coalesce(taught.stage_codes, taught_last.stage_codes) as stage_codes,
        types.stage_code as type_stage_code,
    from uses
    left join schools
        on uses.school_code = schools.school_code
    left join types
        on schools.school_type_code = types.code
    left join taught
        on uses.school_code = taught.school_code and uses.school_year_start = taught.school_year_start
    left join taught_last
        on uses.school_code = taught_last.school_code
),

-- of a school with several stages the resource's own stage tells whose pupils used it
staged as (
    select
        placed.*,
        resources.resource_kind_code,
        resources.resource_kind_zh,
        resources.subject_code,
        resources.subject_zh,
        case
            when len(placed.stage_codes) = 1 then placed.stage_codes[1]
            when list_contains(placed.stage_codes, resources.stage_code) then resources.stage_code
            when placed.stage_codes is null then coalesce(resources.stage_code, placed.type_stage_code)
        end as stage_code,
    from placed
    left join resources
        on placed.resource_code = resources.resource_code
),

summed as (
    select
        date_trunc('month', use_date)::date as use_month,
        school_year_start,
        district_code,
        stage_code,
        resource_code,
        resource_kind_code,
        resource_kind_zh,
        subject_code,
        subject_zh,
        user_kind_code,
        sum(use_count)::integer as use_count,
        (sum(use_min) / 60)::decimal(12, 1) as use_h,
        max(use_date) as last_use_date,
        count(*) filter (where has_unmapped_code)::integer as unmapped_count,
    from staged
    group by all
),

districts as (select * from {{ ref('dim_district') }}),

stages as (select * from {{ source('standards', 'stage') }}),

users as (select * from {{ source('standards', 'user_kind') }})

select
    summed.use_month,
    summed.school_year_start,
    {{ school_year_label('summed.school_year_start') }} as school_year,
    summed.district_code,
    districts.district_name_zh,
    districts.zone_code,
    districts.zone_name_zh,
    summed.stage_code,
    stages.meaning_zh as stage_zh,
    summed.resource_code,
    summed.resource_kind_code,
    summed.resource_kind_zh,
    summed.subject_code,
    summed.subject_zh,
    summed.user_kind_code,
    users.meaning_zh as user_kind_zh,
    summed.use_count,
    summed.use_h,
    summed.last_use_date,
    summed.unmapped_count,
from summed
left join districts
    on summed.district_code = districts.district_code
left join stages
    on summed.stage_code = stages.code
left join users
    on summed.user_kind_code = users.code
