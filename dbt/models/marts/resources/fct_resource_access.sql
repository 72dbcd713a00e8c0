-- one row per level (district, zone, city), unit, school year, stage (each, all) and subject (each, all)
{% set stage_or_all = "if(grouping(stage_code) = 1, 'all', coalesce(stage_code, 'unknown'))" -%}
with uses as (select * from {{ ref('fct_resource_use') }} where stage_code is distinct from 'kindergarten'),

districts as (select * from {{ ref('dim_district') }}),

enrolled as (
    select counts.*, districts.zone_code
    from {{ ref('fct_enrollment_grade') }} as counts
    left join districts
        on counts.district_code = districts.district_code
    where counts.stage_code <> 'kindergarten'
),

{%- set level -%}
    case
        when grouping(district_code) = 0 then 'district'
        when grouping(zone_code) = 0 then 'zone'
        else 'city'
    end as unit_level,
    case
        when grouping(district_code) = 0 then district_code
        when grouping(zone_code) = 0 then zone_code
        else 'city'
    end as unit_code
{%- endset %}

pupils as (
    select
        {{ level }},
        school_year_start,
        {{ stage_or_all }} as stage_key,
        sum(pupil_count) as pupil_count,
        bool_and(is_city_complete) as is_city_complete,
        bool_and(is_district_complete) as is_district_complete,
    from enrolled
    group by school_year_start, rollup (stage_code), grouping sets ((district_code, zone_code), (zone_code), ())
),

used as (
    select
        {{ level }},
        school_year_start,
        {{ stage_or_all }} as stage_key,
        if(grouping(subject_code) = 1, 'all', coalesce(subject_code, 'unknown')) as subject_key,
        sum(use_count) as use_count,
        coalesce(sum(use_count) filter (where user_kind_code = 'pupil'), 0) as pupil_use_count,
        coalesce(sum(use_count) filter (where user_kind_code = 'teacher'), 0) as teacher_use_count,
        sum(unmapped_count) as unmapped_count,
    from uses
    group by
        school_year_start,
        rollup (stage_code),
        rollup (subject_code),
        grouping sets ((district_code, zone_code), (zone_code), ())
),

years as (
    select school_year_start, max(last_use_date) as use_through_date
    from uses
    group by school_year_start
),

-- what the city uses is asked of each unit that has pupils, and so is every stage: nobody there may have used anything
asked as (
    select unit_level, unit_code, school_year_start, stage_key, subject_key
    from used
    union
    select pupils.unit_level, pupils.unit_code, pupils.school_year_start, pupils.stage_key, used.subject_key
    from pupils
    inner join used
        on pupils.school_year_start = used.school_year_start and pupils.stage_key = used.stage_key
    where used.unit_level = 'city'
    union
    select pupils.unit_level, pupils.unit_code, pupils.school_year_start, pupils.stage_key, 'all' as subject_key
    from pupils
    inner join years
        on pupils.school_year_start = years.school_year_start
),

counted as (
    select
        asked.*,
        years.use_through_date,
        coalesce(used.use_count, 0)::integer as use_count,
        coalesce(used.pupil_use_count, 0)::integer as pupil_use_count,
        coalesce(used.teacher_use_count, 0)::integer as teacher_use_count,
        pupils.pupil_count::integer as pupil_count,
        case asked.unit_level when 'city' then pupils.is_city_complete else pupils.is_district_complete end
            as is_complete,
        coalesce(used.unmapped_count, 0)::integer as unmapped_count,
    from asked
    inner join years
        on asked.school_year_start = years.school_year_start
    left join used
        on
            asked.unit_level = used.unit_level
            and asked.unit_code = used.unit_code
            and asked.school_year_start = used.school_year_start
            and asked.stage_key = used.stage_key
            and asked.subject_key = used.subject_key
    left join pupils
        on
            asked.unit_level = pupils.unit_level
            and asked.unit_code = pupils.unit_code
            and asked.school_year_start = pupils.school_year_start
            and asked.stage_key = pupils.stage_key
    where asked.unit_code is not null
),

rated as (
    select
        *,
        {{ metric_share('digital_use_per_pupil', 'counted', 'decimal(12, 4)') }} as use_per_pupil,
    from counted
),

compared as (
    select
        *,
        max(use_per_pupil) filter (where unit_level = 'city') over (
            partition by school_year_start, stage_key, subject_key
        ) as city_use_per_pupil,
    from rated
),

stages as (select * from {{ source('standards', 'stage') }}),

subjects as (select * from {{ source('standards', 'subject') }}),

zones as (select distinct zone_code, zone_name_zh from districts where zone_code is not null)

select
    compared.unit_level,
    compared.unit_code,
    case compared.unit_level when 'district' then compared.unit_code end as district_code,
    districts.district_name_zh,
    coalesce(districts.zone_code, zones.zone_code) as zone_code,
    coalesce(districts.zone_name_zh, zones.zone_name_zh) as zone_name_zh,
    compared.school_year_start,
    {{ school_year_label('compared.school_year_start') }} as school_year,
    {{ as_of_date() }} >= {{ school_year_begins('compared.school_year_start + 1') }} as is_school_year_over,
    compared.use_through_date,
    compared.stage_key = 'all' as is_stage_total,
    if(compared.stage_key = 'all', 'all', stages.code) as stage_code,
    case compared.stage_key when 'all' then '全部' else stages.meaning_zh end as stage_zh,
    compared.subject_key = 'all' as is_subject_total,
    if(compared.subject_key = 'all', 'all', subjects.code) as subject_code,
    case compared.subject_key when 'all' then '全部' else subjects.meaning_zh end as subject_zh,
    compared.use_count,
    compared.pupil_use_count,
    compared.teacher_use_count,
    compared.pupil_count,
    compared.use_per_pupil,
    compared.city_use_per_pupil,
    (compared.use_per_pupil - compared.city_use_per_pupil)::decimal(12, 4) as city_gap_use_per_pupil,
    (compared.use_per_pupil / nullif(compared.city_use_per_pupil, 0))::decimal(12, 4) as of_city_ratio,
    coalesce(compared.is_complete, true) as is_complete,
    compared.unmapped_count,
from compared
left join districts
    on compared.unit_level = 'district' and compared.unit_code = districts.district_code
left join zones
    on compared.unit_level = 'zone' and compared.unit_code = zones.zone_code
left join stages
    on compared.stage_key = stages.code
left join subjects
    on compared.subject_key = subjects.code
