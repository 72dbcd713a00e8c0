-- one row per school and school year that is forecast, all grades together
with projects as (select * from {{ ref('stg_places__capacity_project') }}),

-- a school to come, named by its project, is no school yet that a family could ask about
forecasts as (
    select *
    from {{ ref('stg_places__forecast') }}
    where
        level = 'school'
        and grade_key = 'all'
        and unit_code not in (select projects.project_code from projects)
),

schools as (select * from {{ ref('dim_school') }}),

-- places that stand or that a school gets while it fills up, and those of its projects by their chance
places as (
    select unit_code, school_year_start, sum(existing_place_count + expected_place_count) as supply_count
    from {{ ref('stg_places__gap') }}
    where level = 'school'
    group by unit_code, school_year_start
),

pupils as (
    select school_code, sum(pupil_count) as pupil_count
    from {{ ref('fct_enrollment_grade') }}
    where is_newest_school_year
    group by school_code
)

select
    forecasts.unit_code as school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    forecasts.school_year_start,
    {{ school_year_label('forecasts.school_year_start') }} as school_year,
    forecasts.lead as lead_years,
    pupils.pupil_count::integer as current_pupil_count,
    forecasts.forecast as forecast_count,
    forecasts.lower_80 as lower_80_count,
    forecasts.upper_80 as upper_80_count,
    schools.place_count as existing_place_count,
    coalesce(places.supply_count, schools.place_count)::decimal(12, 1) as supply_count,
    (coalesce(places.supply_count, schools.place_count) - forecasts.forecast)::decimal(12, 1) as surplus_count,
from forecasts
left join schools
    on forecasts.unit_code = schools.school_code
left join pupils
    on forecasts.unit_code = pupils.school_code
left join places
    on
        forecasts.unit_code = places.unit_code
        and forecasts.school_year_start = places.school_year_start
