-- one row per level (city, district), unit, grade span (grade, stage, all) and school year
with forecasts as (
    -- units that name no district are in the city's rows alone
    select *
    from {{ ref('stg_places__forecast') }}
    where level = 'city' or (level = 'district' and unit_code != '(none)')
),

grades as (select * from {{ source('standards', 'grade') }}),

stages as (select * from {{ source('standards', 'stage') }}),

districts as (select * from {{ ref('dim_district') }}),

-- whether all units that were expected are in a district's year, and in the city's
bases as (
    select
        district_code,
        school_year_start,
        bool_and(is_district_complete) as is_district_complete,
        bool_and(is_city_complete) as is_city_complete,
    from {{ ref('fct_enrollment_grade') }}
    group by district_code, school_year_start
),

units as (
    select
        forecasts.*,
        coalesce(grades.stage_code, stages.code) as stage_code,
        case forecasts.level when 'district' then forecasts.unit_code end as district_code,
    from forecasts
    left join grades
        on forecasts.grade_key = grades.code
    left join stages
        on forecasts.grade_key = stages.code
),

spans as (
    select
        case grade_key when 'all' then 'all' when stage_code then 'stage' else 'grade' end as grade_span,
        level as unit_level, district_code, stage_code,
        case grade_key when stage_code then 'all' else grade_key end as grade_key,
        school_year_start, origin, lead, forecast, lower_80, upper_80, lower_90, upper_90, method, run_id,
    from units
)

select
    spans.unit_level,
    spans.district_code,
    districts.district_name_zh,
    spans.grade_span,
    spans.stage_code,
    spans.grade_span = 'all' as is_stage_total,
    spans.grade_key,
    spans.grade_span <> 'grade' as is_grade_total,
    spans.school_year_start,
    {{ school_year_label('spans.school_year_start') }} as school_year,
    spans.origin as origin_school_year_start,
    spans.lead as lead_years,
    spans.forecast::decimal(12, 1) as forecast_count,
    spans.lower_80::decimal(12, 1) as lower_80_count,
    spans.upper_80::decimal(12, 1) as upper_80_count,
    spans.lower_90::decimal(12, 1) as lower_90_count,
    spans.upper_90::decimal(12, 1) as upper_90_count,
    case
        when spans.unit_level = 'city'
            then coalesce(
                (select bool_and(b.is_city_complete) from bases as b where b.school_year_start = spans.origin), true
            )
        -- a district that is late has no row of that year
        else coalesce(
            bases.is_district_complete,
            not exists (select 1 from bases as b where b.district_code = spans.district_code)
        )
    end as is_base_complete,
    spans.method as forecast_method,
    spans.run_id as decided_by_run_id,
from spans
left join districts
    on spans.district_code = districts.district_code
left join bases
    on spans.district_code = bases.district_code and spans.origin = bases.school_year_start
