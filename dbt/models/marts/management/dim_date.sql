-- one row per day of the school years that the lake or its forecasts know
with days as (
    select
        school_years.school_year_start,
        days.day::date as date,
    from {{ ref('dim_school_year') }} as school_years,
        unnest(generate_series(school_years.year_first_date, school_years.year_last_date, interval 1 day)) as days (day)
),

calendar as (select * from {{ source('standards', 'school_calendar') }}),

reasons as (select * from {{ source('standards', 'day_reason') }}),

-- without any calendar Monday to Friday count, as the safety service has it
without as (select count(*) = 0 as is_without from calendar)

select
    days.date,
    days.school_year_start,
    {{ term_of('days.date') }}::integer as term,
    isoyear(days.date)::integer as iso_year,
    week(days.date)::integer as iso_week,
    isodow(days.date)::integer as weekday_number,
    month(days.date)::integer as month_number,
    date_trunc('month', days.date)::date as month_start_date,
    case
        when without.is_without then isodow(days.date) <= 5
        else calendar.is_school_day = '1'
    end as is_school_day,
    case when calendar.date is not null then calendar.term is not null end as is_in_term,
    calendar.reason as day_reason_code,
    coalesce(reasons.meaning_zh, calendar.reason) as day_reason_zh,
from days
left join calendar
    on days.date = calendar.date::date
left join reasons
    on calendar.reason = reasons.code
left join without
    on true
