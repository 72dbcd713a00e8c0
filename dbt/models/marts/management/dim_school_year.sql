-- one row per school year that the lake or its forecasts know, without gaps
with named as (
    select {{ school_year_of(as_of_date()) }} as school_year_start
    union all
    select school_year_start from {{ ref('stg_enrollment__grade_count') }}
    union all
    select school_year_start from {{ ref('stg_enrollment__pupil_roll') }}
    union all
    select school_year_start from {{ ref('stg_fitness__score') }}
    union all
    select school_year_start from {{ ref('stg_evaluation__control_total') }}
    union all
    select school_year_start from {{ ref('stg_places__forecast') }}
    union all
    select school_year_start from {{ ref('stg_places__gap') }}
    union all
    select {{ school_year_of('coalesce(actual_opening_date, expected_opening_date, planned_opening_date)') }}
    from {{ ref('stg_places__capacity_project') }}
    union all
    select {{ school_year_of('planned_opening_date') }} from {{ ref('stg_places__capacity_project') }}
),

years as (
    select unnest(range(min(school_year_start), max(school_year_start) + 1))::integer as school_year_start from named
)

select
    school_year_start,
    {{ school_year_label('school_year_start') }} as school_year,
    {{ school_year_begins('school_year_start') }} as year_first_date,
    {{ school_year_begins('school_year_start + 1') }} - 1 as year_last_date,
    school_year_start = {{ school_year_of(as_of_date()) }} as is_current,
    school_year_start > {{ school_year_of(as_of_date()) }} as is_future,
from years
