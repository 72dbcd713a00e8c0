-- one row per level (city, zone, district), unit, plan indicator and year that is both reported and counted
with explained as (select * from {{ ref('stg_evaluation__plan_difference') }}),

reported as (
    select * from {{ ref('fct_metric_value') }}
    where value_basis = 'reported' and metric_value is not null
),

-- counted by marts, which know no other scope and no other day: all of the difference is unexplained
counted as (
    select * from {{ ref('fct_metric_value') }}
    where value_basis = 'counted' and metric_code in ('fitness_good_or_excellent_rate', 'safe_campus_rate')
),

missing as (select * from {{ ref('fct_plan_count') }}),

names as (select * from {{ source('standards', 'plan_indicator') }}),

districts as (select * from {{ ref('dim_district') }}),

of_marts as (
    select
        reported.unit_level,
        reported.unit_code,
        reported.metric_code as indicator_code,
        reported.period_year as indicator_year,
        reported.metric_value::decimal(12, 4) as reported_indicator_value,
        counted.metric_value::decimal(12, 4) as counted_indicator_value,
        missing.missing_school_count,
        missing.unknown_count,
        counted.missing_reason,
    from reported
    inner join counted
        on
            reported.metric_code = counted.metric_code
            and reported.unit_level = counted.unit_level
            and reported.unit_code = counted.unit_code
            and reported.period_year = counted.period_year
    inner join missing
        on
            reported.metric_code = missing.metric_code
            and reported.unit_level = missing.unit_level
            and reported.unit_code = missing.unit_code
            and reported.period_year = missing.period_year
),

differences as (
    select
        level as unit_level,
        unit_code,
        indicator_code,
        indicator_year,
        reported_indicator_value,
        counted_indicator_value,
        value_difference,
        by_date,
        by_scope,
        by_missing,
        by_codes,
        unexplained,
        causes,
        missing_school_count,
        unknown_count,
        missing_reason,
    from explained
    union all by name
    select
        *,
        reported_indicator_value - counted_indicator_value as value_difference,
        reported_indicator_value - counted_indicator_value as unexplained,
        case when counted_indicator_value is not null then 0 end::decimal(12, 4) as by_date,
        case when counted_indicator_value is not null then 0 end::decimal(12, 4) as by_scope,
        case when counted_indicator_value is not null then 0 end::decimal(12, 4) as by_missing,
        case when counted_indicator_value is not null then 0 end::decimal(12, 4) as by_codes,
    from of_marts
)

select
    differences.unit_level,
    differences.unit_code,
    case when differences.unit_level = 'district' then differences.unit_code end as district_code,
    districts.district_name_zh,
    case when differences.unit_level = 'zone' then differences.unit_code else districts.zone_code end as zone_code,
    differences.indicator_code,
    names.meaning_zh as indicator_zh,
    names.meaning_en as indicator_en,
    differences.indicator_year,
    differences.reported_indicator_value,
    differences.counted_indicator_value,
    differences.value_difference::decimal(12, 4) as value_difference,
    differences.by_date,
    differences.by_scope,
    differences.by_missing,
    differences.by_codes,
    differences.unexplained::decimal(12, 4) as unexplained,
    differences.causes,
    differences.missing_school_count,
    differences.unknown_count,
    differences.missing_reason,
from differences
left join names
    on differences.indicator_code = names.code
left join districts
    on differences.unit_level = 'district' and differences.unit_code = districts.district_code
