-- one row per school and spell: days from `valid_from` on, before `valid_to`, on which nothing of the row changed
{{ config(materialized='table') }}

with listed as (select * from {{ ref('stg_enrollment__school_listed') }}),

changes as (
    select * from {{ ref('stg_enrollment__school_change') }}
    where change_date <= {{ as_of_date() }}
),

returned as (
    select
        unit_code as school_code,
        school_year_start,
        min(parent_unit_code) as district_code,
        max(school_year_start) over () as newest_year,
    from {{ ref('stg_enrollment__grade_count') }}
    group by unit_code, school_year_start
),

-- an opening that is stated again with a closing day, or without one any more: the newest word
openings as (
    select
        school_code,
        opened_date,
        closed_date,
    from listed
    qualify row_number() over (partition by school_code, opened_date order by school_year_start desc) = 1
),

years as (
    select
        school_code,
        school_year_start,
        false as is_counted_last,
    from listed
    union all
    select
        school_code,
        school_year_start,
        school_year_start = newest_year as is_counted_last,
    from returned
),

seen as (
    select
        school_code,
        max(school_year_start) as last_year,
        -- listed once and no more, and counted no more: gone, though nobody says so
        not bool_or(is_counted_last)
        and school_code not in (select school_code from {{ ref('stg_enrollment__school') }}) as is_lost,
    from years
    group by school_code
),

-- what is known from a day on; of one day the greater order counts
told as (
    select
        school_code,
        closed_date as told_date,
        1 as told_order,
        false as is_open,
    from openings
    where closed_date is not null
    union all by name
    select
        school_code,
        closed_date as told_date,
        closed_date as ended_date,
        1 as told_order,
        false as is_open,
    from {{ ref('int_enrollment__school_successor') }}
    union all by name
    select
        school_code,
        {{ school_year_begins('last_year + 1') }} as told_date,
        1 as told_order,
        false as is_open,
    from seen
    where is_lost
    union all by name
    select
        school_code,
        opened_date as told_date,
        2 as told_order,
        true as is_open,
    from openings
    where opened_date is not null
    union all by name
    select
        from_school_code as school_code,
        change_date as told_date,
        2 as told_order,
        true as is_open,
    from changes
    where change_kind_code = 'reopen'
    union all by name
    select
        school_code,
        {{ school_year_begins('school_year_start') }} as told_date,
        3 as told_order,
        district_code,
    from returned
    union all by name
    select
        school_code,
        greatest(least({{ school_year_begins('school_year_start') }}, {{ as_of_date() }}), opened_date) as told_date,
        4 as told_order,
        school_name,
        district_code,
        area_name,
        -- an area is one of a district: it is told for that district alone
        if(area_name is not null, district_code, null) as area_district_code,
    from listed
    union all by name
    select
        coalesce(to_school_code, from_school_code) as school_code,
        change_date as told_date,
        5 as told_order,
        new_school_name as school_name,
        new_district_code as district_code,
    from changes
    where new_school_name is not null or new_district_code is not null
),

-- a code that opens after it had ended begins a life of its own
begun as (
    select
        told.*,
        told.is_open and not last_value(told.is_open ignore nulls) over earlier as is_new_life,
    from told
    where told.told_date <= {{ as_of_date() }} and told.school_code in (select school_code from seen)
    window
        earlier as (
            partition by told.school_code order by told.told_date, told.told_order, told.school_name, told.district_code
            rows between unbounded preceding and 1 preceding
        )
),

lives as (
    select
        *,
        coalesce(sum(is_new_life::integer) over (
            partition by school_code order by told_date, told_order, school_name, district_code
            rows between unbounded preceding and current row
        ), 0) as life_number,
    from begun
),

-- what is not told on a day is as before, and before anything is told as told first
days as (
    select
        school_code,
        told_date,
        told_order,
        life_number,
        coalesce(
            last_value(school_name ignore nulls) over known,
            first_value(school_name ignore nulls) over life,
            last_value(school_name ignore nulls) over before,
            first_value(school_name ignore nulls) over school
        ) as school_name,
        coalesce(
            last_value(district_code ignore nulls) over known,
            first_value(district_code ignore nulls) over life,
            last_value(district_code ignore nulls) over before,
            first_value(district_code ignore nulls) over school
        ) as district_code,
        coalesce(
            last_value(area_name ignore nulls) over known,
            first_value(area_name ignore nulls) over life,
            last_value(area_name ignore nulls) over before,
            first_value(area_name ignore nulls) over school
        ) as area_name,
        coalesce(
            last_value(area_district_code ignore nulls) over known,
            first_value(area_district_code ignore nulls) over life,
            last_value(area_district_code ignore nulls) over before,
            first_value(area_district_code ignore nulls) over school
        ) as area_district_code,
        coalesce(last_value(is_open ignore nulls) over known, true) as is_open,
        max(ended_date) over life as ended_date,
    from lives
    window
        known as (
            partition by school_code, life_number order by told_date, told_order, school_name, district_code
            rows between unbounded preceding and current row
        ),
        life as (
            partition by school_code, life_number order by told_date, told_order, school_name, district_code
            rows between unbounded preceding and unbounded following
        ),
        before as (
            partition by school_code order by told_date, told_order, school_name, district_code
            rows between unbounded preceding and current row
        ),
        school as (
            partition by school_code order by told_date, told_order, school_name, district_code
            rows between unbounded preceding and unbounded following
        )
    qualify
        row_number() over (
            partition by school_code, told_date
            order by told_order desc, school_name desc nulls last, district_code desc nulls last
        ) = 1
),

placed as (
    select
        * exclude (area_name),
        case when coalesce(area_district_code = district_code, true) then area_name end as area_name,
    from days
),

changed as (
    select * from placed
    window by_day as (partition by school_code order by told_date)
    qualify
        row_number() over by_day = 1
        or (school_name, district_code, area_name, is_open, life_number) is distinct from (
            lag(school_name) over by_day, lag(district_code) over by_day, lag(area_name) over by_day,
            lag(is_open) over by_day, lag(life_number) over by_day
        )
)

select
    school_code,
    told_date as valid_from,
    lead(told_date) over (partition by school_code order by told_date) as valid_to,
    school_name,
    district_code,
    area_name,
    is_open,
    ended_date,
from changed
