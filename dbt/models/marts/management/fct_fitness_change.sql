-- one row per level, unit, school year, grade (or all) and sex (or all): the same pupils a year before and now
with results as (
    select * from {{ ref('int_fitness__result_unit') }} where result_kind = 'upload' and is_scored
),

rates as (select * from {{ ref('fct_fitness_rate') }}),

followed as (
    -- unit, grade and sex are today's, wherever the pupil was a year before
    select
        now.*,
        now.total_score - before.total_score as change_score,
        now.level_rank - before.level_rank as level_step,
        before.is_good_or_excellent as was_good_or_excellent,
        before.total_score as before_score,
    from results as now
    inner join results as before
        on
            now.pupil_key = before.pupil_key
            and now.school_year_start = before.school_year_start + 1
),

cells as (
    select
        {{ fitness_cube_columns() }},
        count(*) as followed_count,
        avg(before_score) as mean_before,
        avg(total_score) as mean_now,
        avg(change_score) as mean_change,
        stddev_samp(change_score) as deviation,
        count(*) filter (where level_step > 0) as level_up_count,
        count(*) filter (where level_step < 0) as level_down_count,
        count(*) filter (where was_good_or_excellent) as good_before_count,
        count(*) filter (where is_good_or_excellent) as good_now_count,
    from followed
    group by {{ fitness_cube() }}
),

counted as (
    select *, {{ fitness_of_city('mean_change', 'deviation') }} from cells
)

select
    {{ fitness_cell('counted') }},
    followed_count::integer as followed_count,
    mean_before::decimal(5, 2) as mean_before_score,
    mean_now::decimal(5, 2) as mean_now_score,
    mean_change::decimal(6, 2) as mean_change_score,
    {% for side in ['low', 'high'] -%}
    {{ mean_bound('counted', 'mean_change', 'deviation', 'followed_count', -120, 120, side) }}::decimal(6, 2)
        as mean_change_{{ side }}_score,
    {% endfor -%}
    level_up_count::integer as level_up_count,
    level_down_count::integer as level_down_count,
    rates.unmapped_count,
    -- void with the unit's own rate
    {% for name, part in [
        ('good_or_excellent_before_share', 'good_before_count'), ('good_or_excellent_share', 'good_now_count')
    ] -%}
    case when rates.good_or_excellent_share is not null then {{ share(part, 'followed_count') }} end as {{ name }},
    {% endfor -%}
from counted
inner join rates
    on {{ on_fitness_cell('counted', 'rates') }}
