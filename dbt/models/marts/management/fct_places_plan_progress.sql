-- one row per measure of the plan (places, quality places) and calendar year up to the run's, cumulated
with projects as (select * from {{ ref('stg_places__capacity_project') }}),

targets as (
    select
        measure,
        measure_zh,
        first_year::integer as first_year,
        last_year::integer as last_year,
        -- a synthetic city of a fiftieth builds a fiftieth of the plan
        round(target_count::integer * {{ var('city_scale', 1) }})::integer as target_count,
    from {{ source('standards', 'plan_place_target') }}
),

years as (
    select targets.*, unnest(generate_series(first_year, least(last_year, year({{ as_of_date() }})))) as plan_year
    from targets
    -- the plan is the city's: a site that states no project has none
    where exists (select 1 from projects)
),

-- what the plan names: planned to open within its years, and not called off
planned as (
    select
        years.measure,
        years.plan_year,
        projects.project_code,
        projects.project_status_code,
        case years.measure when 'places' then projects.place_count else projects.quality_place_count end as place_count,
        year(projects.planned_opening_date) <= years.plan_year as is_due,
        projects.project_status_code = 'opened'
        and year(coalesce(projects.actual_opening_date, projects.planned_opening_date)) <= years.plan_year as is_opened,
    from years
    left join projects
        on
            year(projects.planned_opening_date) between years.first_year and years.last_year
            and projects.project_status_code is distinct from 'cancelled'
),

counted as (
    select
        measure,
        plan_year,
        sum(place_count) filter (where project_status_code is not null and is_due) as due_count,
        sum(place_count) filter (where is_opened) as opened_count,
        -- a state that nobody mapped: it may have opened, be due, or be called off
        count(*) filter (where project_code is not null and project_status_code is null and is_due) as unmapped_count,
    from planned
    group by measure, plan_year
),

told as (
    select
        years.measure as plan_measure,
        years.measure_zh as plan_measure_zh,
        years.plan_year::integer as plan_year,
        years.target_count as plan_target_count,
        coalesce(counted.due_count, 0)::integer as due_place_count,
        coalesce(counted.opened_count, 0)::integer as opened_place_count,
        counted.unmapped_count::integer as unmapped_count,
    from years
    left join counted
        on years.measure = counted.measure and years.plan_year = counted.plan_year
)

select
    *,
    {{ metric_share('plan_places_opened_share', type='decimal(8, 4)') }} as opened_of_target_share,
    (opened_place_count / nullif(due_place_count, 0))::decimal(8, 4) as opened_of_due_share,
from told
