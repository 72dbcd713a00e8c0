-- one row per pupil and school year: the pupil's report, where each item stands and what to train
{% set items = {
    'bmi': 'bmi', 'vital_capacity': 'vital_capacity_ml', 'run_50m': 'run_50m_s', 'sit_and_reach': 'sit_and_reach_cm',
    'rope_skip_1min': 'rope_skip_1min_count', 'sit_up_1min': 'sit_up_1min_count',
    'standing_long_jump': 'standing_long_jump_cm', 'pull_up': 'pull_up_count',
    'shuttle_run_50x8': 'shuttle_run_50x8_s', 'run_1000m': 'run_1000m_s', 'run_800m': 'run_800m_s'
} -%}
with scores as (select * from {{ ref('int_fitness__sitting_chosen') }}),

results as (select * from {{ ref('fct_fitness_result') }}),

curves as (select * from {{ ref('stg_fitness__percentile') }}),

names as (select item_code, zh from {{ source('standards', 'fitness_item') }}),

weights as ({{ fitness_weights() }}),

by_item as (
    {% for item, column in items.items() %}
    select
        pupil_key, school_year_start, sex_code, age_months, fitness_grade_code, standard_version,
        '{{ item }}' as item_code, {{ column }}::double as item_value, points_{{ item }} as points,
        {{ column.endswith('_s') }} as is_timed,
    from scores
    where {{ column }} is not null
    {{ '' if loop.last else 'union all' }}
    {% endfor %}
),

placed as (
    select
        by_item.*,
        names.zh as item_zh,
        -- better is higher, so times count the other way round
        case when by_item.is_timed then -1 else 1 end
        * (power(greatest(by_item.item_value + curves.value_offset, 0.000001) / curves.m, curves.l) - 1)
        / (curves.l * curves.s) as z,
        (weights.weight_percent * (100 - by_item.points))::decimal(9, 2) / 100 as gain_score,
    from by_item
    inner join names
        on by_item.item_code = names.item_code
    left join curves
        on
            by_item.item_code = curves.item_code
            and by_item.sex_code = curves.sex_code
            and by_item.age_months = curves.age_months
    left join weights
        on
            by_item.standard_version = weights.standard_version
            and by_item.fitness_grade_code = weights.fitness_grade_code
            and by_item.sex_code = weights.sex_code
            and by_item.item_code = weights.item_code
),

ranked as (
    select
        *,
        {{ normal_percent('z') }} as percentile,
        row_number() over (
            partition by pupil_key, school_year_start
            order by gain_score desc nulls last, z nulls last, item_code
        ) as train_rank,
    from placed
),

reports as (
    select
        pupil_key,
        school_year_start,
        {% for item in items -%}
        (max(percentile) filter (where item_code = '{{ item }}'))::decimal(4, 1) as percentile_{{ item }},
        {% endfor -%}
        (avg(percentile) filter (where item_code <> 'bmi'))::decimal(4, 1) as mean_percentile,
        -- where the total has most to gain; a full item has nothing
        string_agg(item_zh, '、' order by train_rank) filter (where train_rank <= 3 and gain_score > 0)
            as train_items_zh,
    from ranked
    group by pupil_key, school_year_start
)

select
    results.pupil_key,
    results.school_year_start,
    results.school_year,
    results.school_code,
    results.district_code,
    results.grade_key,
    results.sex_code,
    results.total_score,
    results.fitness_level,
    results.score_status,
    (results.total_score - before.total_score)::decimal(5, 1) as total_change_score,
    {% for item in items -%}
    reports.percentile_{{ item }},
    {% endfor -%}
    reports.mean_percentile,
    (reports.mean_percentile - reports_before.mean_percentile)::decimal(5, 1) as mean_percentile_change,
    reports.train_items_zh,
from results
inner join reports
    on
        results.pupil_key = reports.pupil_key
        and results.school_year_start = reports.school_year_start
left join results as before
    on
        results.pupil_key = before.pupil_key
        and results.school_year_start = before.school_year_start + 1
left join reports as reports_before
    on
        results.pupil_key = reports_before.pupil_key
        and results.school_year_start = reports_before.school_year_start + 1
