-- one row per kind of result, level, unit, school year, grade (or all), sex (or all) and item of the test
{% set items = [
    'bmi', 'vital_capacity', 'run_50m', 'sit_and_reach', 'rope_skip_1min', 'sit_up_1min', 'standing_long_jump',
    'pull_up', 'shuttle_run_50x8', 'run_1000m', 'run_800m'
] -%}
with results as (select * from {{ ref('int_fitness__result_unit') }}),

rates as (select * from {{ ref('fct_fitness_rate') }}),

weights as ({{ fitness_weights() }}),

-- an item's points are read by the bounds of the total
bounds as (
    select
        standard_version,
        min(level_from_score) filter (where is_pass) as pass_from,
        min(level_from_score) filter (where is_good_or_excellent) as good_from,
    from ({{ fitness_levels() }}) as levels
    group by standard_version
),

by_item as (
    {% for item in items %}
    select
        result_kind, school_year_start, school_code, district_code, zone_code, grade_key, sex_code,
        fitness_grade_code, standard_version, total_score, '{{ item }}' as item_code, points_{{ item }} as points,
    from results
    where points_{{ item }} is not null
    {{ '' if loop.last else 'union all' }}
    {% endfor %}
),

weighed as (
    select
        by_item.*,
        bounds.pass_from,
        bounds.good_from,
        -- the total, had nobody fewer points in this item than a good one has; all else as it is
        by_item.total_score
        + (greatest(bounds.good_from - by_item.points, 0) * weights.weight_percent)::decimal(9, 2) / 100
            as raised_score,
    from by_item
    inner join bounds
        on by_item.standard_version = bounds.standard_version
    inner join weights
        on
            by_item.standard_version = weights.standard_version
            and by_item.fitness_grade_code = weights.fitness_grade_code
            and by_item.sex_code = weights.sex_code
            and by_item.item_code = weights.item_code
),

cells as (
    select
        {{ fitness_cube_columns() }},
        item_code,
        count(*) as tested_count,
        avg(points) as mean,
        stddev_samp(points) as deviation,
        count(*) filter (where points < pass_from) as item_failed_count,
        count(*) filter (where points >= good_from) as item_good_count,
        count(total_score) as scored_count,
        count(*) filter (where total_score >= good_from) as good_or_excellent_count,
        count(*) filter (where raised_score >= good_from) as raised_count,
    from weighed
    group by {{ fitness_cube(['item_code']) }}
),

counted as (
    select *, {{ fitness_of_city('mean', 'deviation', ['item_code']) }} from cells
)

select
    counted.result_kind,
    {{ fitness_cell('counted') }},
    item_code,
    tested_count::integer as tested_count,
    mean::decimal(5, 2) as mean_points,
    {{ mean_bound('counted', 'mean', 'deviation', 'tested_count', 0, 100, 'low') }}::decimal(6, 2) as mean_low_points,
    {{ mean_bound('counted', 'mean', 'deviation', 'tested_count', 0, 100, 'high') }}::decimal(6, 2) as mean_high_points,
    {{ share('item_failed_count', 'tested_count') }} as item_failed_share,
    {{ share('item_good_count', 'tested_count') }} as item_good_share,
    counted.scored_count::integer as scored_count,
    rates.unmapped_count,
    -- void with the unit's own rate
    {% for name, part in [
        ('good_or_excellent_share', 'counted.good_or_excellent_count'),
        ('good_or_excellent_if_raised_share', 'raised_count'),
        ('good_or_excellent_gain_share', '(raised_count - counted.good_or_excellent_count)'),
    ] -%}
    case when rates.good_or_excellent_share is not null then {{ share(part, 'counted.scored_count') }} end
        as {{ name }},
    {% endfor -%}
    row_number() over (
        partition by
            counted.result_kind, counted.unit_level, counted.unit_code, counted.school_year_start,
            counted.grade_key, counted.sex_code
        order by raised_count - counted.good_or_excellent_count desc, mean, item_code
    )::integer as holding_back_rank,
from counted
inner join rates
    on {{ on_fitness_cell('counted', 'rates') }}
