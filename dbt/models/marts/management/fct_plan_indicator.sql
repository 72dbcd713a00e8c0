-- one row per level (city, district), unit, plan indicator and year
with indicators as (select * from {{ ref('stg_evaluation__indicator') }}),

names as (select * from {{ source('standards', 'plan_indicator') }}),

-- the plan's table in force on the day: unit and number of the indicator
plan as (
    select * from {{ standard_in_force('plan_indicator_target', as_of_date()) }} as targets
),

districts as (select * from {{ ref('dim_district') }}),

-- what the lake itself finds on the day, beside what is reported for that year: safe campuses (indicator 12)
counted as (
    select
        if(grouping(district_code) = 1, 'city', 'district') as level,
        if(grouping(district_code) = 1, 'city', district_code) as unit_code,
        count(*) as school_count,
        count(*) filter (where is_safe_campus_met) as met_count,
        -- schools that codes could make safe or not
        count(*) filter (where unmapped_count > 0) as unmapped_count,
    from {{ ref('fct_safety_campus_status') }}
    group by grouping sets ((district_code), ())
),

computed as (
    select
        level,
        unit_code,
        'safe_campus_rate' as indicator_code,
        year({{ as_of_date() }}) as indicator_year,
        case
            when not {{ is_void('met_count', 'school_count', 'unmapped_count') }}
                then (100 * met_count / nullif(school_count, 0))::decimal(12, 4)
        end as computed_value,
        'fct_safety_campus_status' as computed_source,
        unmapped_count::integer as unmapped_count,
    from counted
)

select
    indicators.level as unit_level,
    case indicators.level when 'district' then indicators.unit_code end as district_code,
    districts.district_name_zh,
    indicators.indicator_code,
    plan.indicator_no::integer as indicator_no,
    names.meaning_zh as indicator_zh,
    names.meaning_en as indicator_en,
    plan.unit as indicator_unit_zh,
    indicators.indicator_year,
    indicators.indicator_value,
    indicators.base_value,
    indicators.target_value,
    indicators.target_operator,
    indicators.gap_to_target,
    indicators.is_met,
    indicators.progress_share,
    indicators.indicator_year = max(indicators.indicator_year) over (
        partition by indicators.level, indicators.unit_code, indicators.indicator_code
    ) as is_newest_year,
    indicators.source as value_source,
    computed.computed_value,
    case when computed.computed_value is not null then computed.computed_source end as computed_source,
    -- as printed, with one digit: a report is rounded
    round(computed.computed_value, 1) <> round(indicators.indicator_value, 1) as is_computed_different,
    coalesce(computed.unmapped_count, 0) as unmapped_count,
    indicators.missing_reason,
    indicators.run_id as decided_by_run_id,
from indicators
left join names
    on indicators.indicator_code = names.code
left join plan
    on indicators.indicator_code = plan.indicator_code
left join computed
    on
        indicators.level = computed.level
        and indicators.unit_code = computed.unit_code
        and indicators.indicator_code = computed.indicator_code
        and indicators.indicator_year = computed.indicator_year
left join districts
    on indicators.level = 'district' and indicators.unit_code = districts.district_code
