-- one row per school code and school year: the school and its place as then (当时口径) and as now (现行口径)
with history as (
    select
        *,
        -- figures from before the first day that is known belong to the first spell
        if(
            row_number() over (partition by school_code order by valid_from) = 1, date '0001-01-01', valid_from
        ) as counts_from,
    from {{ ref('dim_school_history') }}
),

years as (select * from {{ ref('dim_school_year') }}),

returned as (
    select
        unit_code as school_code,
        school_year_start,
        min(parent_unit_code) as district_code,
    from {{ ref('stg_enrollment__grade_count') }}
    group by unit_code, school_year_start
)

select
    history.school_code,
    years.school_year_start,
    history.school_name as as_then_school_name,
    -- where the school was counted that year, counts
    coalesce(returned.district_code, history.district_code) as as_then_district_code,
    history.area_name as as_then_area_name,
    history.as_now_school_code,
    history.as_now_school_name,
    history.as_now_district_code,
    history.as_now_area_name,
from history
inner join years
    on
        history.counts_from <= years.year_last_date
        and coalesce(history.valid_to > years.year_first_date, true)
left join returned
    on history.school_code = returned.school_code and years.school_year_start = returned.school_year_start
-- of several spells in a school year the first in which it was open
qualify
    row_number() over (
        partition by history.school_code, years.school_year_start
        order by history.is_open desc, history.valid_from
    ) = 1
