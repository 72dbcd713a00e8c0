-- one row per level (city, zone, district), unit, plan indicator and year
with indicators as (select * from {{ ref('stg_evaluation__indicator') }}),

names as (select * from {{ source('standards', 'plan_indicator') }}),

states as (select * from {{ source('standards', 'plan_status') }}),

-- unit and number of each indicator, as its plan prints them
plan as (
    select plan_code, indicator_code, unit, indicator_no
    from {{ source('standards', 'plan_indicator_target') }}
    qualify row_number() over (partition by plan_code, indicator_code order by valid_from desc) = 1
),

districts as (select * from {{ ref('dim_district') }}),

zones as (select distinct zone_code, zone_name_zh from districts where zone_code is not null),

metrics as (select * from {{ ref('fct_metric_value') }} where unit_level <> 'school'),

counts as (select * from {{ ref('fct_plan_count') }})

select
    indicators.level as unit_level,
    indicators.unit_code,
    case indicators.level when 'district' then indicators.unit_code end as district_code,
    districts.district_name_zh,
    coalesce(districts.zone_code, zones.zone_code) as zone_code,
    coalesce(districts.zone_name_zh, zones.zone_name_zh) as zone_name_zh,
    indicators.plan_code,
    indicators.indicator_code,
    plan.indicator_no::integer as indicator_no,
    names.meaning_zh as indicator_zh,
    names.meaning_en as indicator_en,
    plan.unit as indicator_unit_zh,
    indicators.indicator_year,
    reported.metric_value::decimal(12, 4) as indicator_value,
    reported.numerator,
    reported.denominator,
    indicators.missing_district_count,
    indicators.base_year,
    indicators.base_value,
    indicators.target_year,
    indicators.target_value,
    indicators.target_operator,
    indicators.gap_to_target,
    indicators.is_met,
    indicators.progress_share,
    indicators.path_start_year,
    indicators.path_value,
    indicators.forecast_value,
    indicators.forecast_low_value,
    indicators.forecast_high_value,
    indicators.target_probability,
    indicators.status_code,
    states.meaning_zh as status_zh,
    indicators.indicator_year = max(indicators.indicator_year) over (
        partition by indicators.level, indicators.unit_code, indicators.indicator_code
    ) as is_newest_year,
    indicators.source as value_source,
    counted.metric_value::decimal(12, 4) as computed_value,
    case when counted.metric_value is not null then counts.counted_from end as computed_source,
    -- as printed, with one digit: a report is rounded
    round(counted.metric_value, 1) <> round(reported.metric_value, 1) as is_computed_different,
    coalesce(counts.unknown_count, 0) as unmapped_count,
    indicators.missing_reason,
    indicators.run_id as decided_by_run_id,
from indicators
left join names
    on indicators.indicator_code = names.code
left join plan
    on indicators.plan_code = plan.plan_code and indicators.indicator_code = plan.indicator_code
left join states
    on indicators.status_code = states.code
left join metrics as reported
    on
        reported.value_basis = 'reported'
        and indicators.level = reported.unit_level
        and indicators.unit_code = reported.unit_code
        and indicators.indicator_code = reported.metric_code
        and indicators.indicator_year = reported.period_year
left join metrics as counted
    on
        counted.value_basis = 'counted'
        and indicators.level = counted.unit_level
        and indicators.unit_code = counted.unit_code
        and indicators.indicator_code = counted.metric_code
        and indicators.indicator_year = counted.period_year
left join counts
    on
        indicators.level = counts.unit_level
        and indicators.unit_code = counts.unit_code
        and indicators.indicator_code = counts.metric_code
        and indicators.indicator_year = counts.period_year
left join districts
    on indicators.level = 'district' and indicators.unit_code = districts.district_code
left join zones
    on indicators.level = 'zone' and indicators.unit_code = zones.zone_code
