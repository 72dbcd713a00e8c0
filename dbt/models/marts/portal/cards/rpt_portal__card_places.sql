-- one row per site with a forecast: the card of school places, the pupils forecast for next year
with forecasts as (
    select *
    from {{ ref('fct_places_forecast') }}
    where unit_level = 'city' and grade_span = 'all'
),

past_years as (
    select
        school_year_start,
        sum(pupil_count) as pupil_count,
        coalesce(bool_and(is_city_complete), true) as is_complete,
    from {{ ref('fct_enrollment_grade') }}
    where school_year_start <= (select max(origin_school_year_start) from forecasts)
    group by school_year_start
    order by school_year_start desc
    limit 10
),

-- by how much the same method missed the sum that the card shows in past years, one year ahead
past_errors as (
    select
        format({{ card_text('places', 'note_errors') }}, errors.origin_count, told.metric_value::decimal(8, 1)) as note
    from {{ ref('fct_metric_value') }} as told
    inner join {{ ref('fct_places_forecast_error') }} as errors
        on errors.unit_level = 'city' and errors.grade_span = 'all' and errors.lead_years = 1
    where told.metric_code = 'places_forecast_error' and told.unit_level = 'city'
),

-- years whose sum misses units
incomplete as (
    select
        format(
            {{ card_text('places', 'note_incomplete') }}, string_agg(school_year_start, '、' order by school_year_start)
        ) as note
    from past_years
    where not is_complete
    having count(*) > 0
),

points as (
    select school_year_start as x, pupil_count::bigint as y, null::bigint as lower, null::bigint as upper
    from past_years
    union all
    select school_year_start, forecast_count::bigint, lower_80_count::bigint, upper_80_count::bigint
    from forecasts
)

select
    'places' as service,
    next_year.forecast_count::decimal(18, 2) as figure_value,
    format({{ card_text('places', 'figure_label') }}, next_year.school_year) as figure_label_zh,
    format({{ card_text('places', 'figure_label', 'en') }}, next_year.school_year) as figure_label_en,
    format({{ card_text('places', 'period') }}, next_year.school_year) as period_label,
    format(
        {{ card_text('places', 'note') }},
        {{ school_year_label('next_year.origin_school_year_start') }},
        current_year.pupil_count::bigint,
        next_year.lower_80_count::bigint,
        next_year.upper_80_count::bigint
    ) || coalesce((select note from past_errors), '') || coalesce((select note from incomplete), '') as note_zh,
    not exists (select 1 from past_years where not past_years.is_complete) as is_complete,
    (
        select to_json(list(struct_pack(x := x, y := y, lower := lower, upper := upper) order by x))
        from points
    )::varchar as series_json,
from forecasts as next_year
left join past_years as current_year
    on next_year.origin_school_year_start = current_year.school_year_start
where next_year.lead_years = 1
