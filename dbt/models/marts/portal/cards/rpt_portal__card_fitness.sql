-- one row per site with scored results: the card of fitness, the city's rate in the newest school year tested
with rates as (
    select *
    from {{ ref('fct_fitness_rate') }}
    where
        result_kind = 'upload' and unit_level = 'city' and sex_code = 'all'
        and school_year_start = (
            select max(school_year_start) from {{ ref('fct_fitness_rate') }}
            where result_kind = 'upload' and scored_count > 0
        )
),

grades as (select * from {{ source('standards', 'grade') }}),

stage_names as (select * from {{ source('standards', 'stage') }}),

-- the rate's counts of a stage's grades together
counted as (
    select
        stage_names.meaning_zh as stage_zh,
        min(grades.ladder_year::integer) as ladder_year,
        sum(rates.good_or_excellent_count) as good_or_excellent_count,
        sum(rates.scored_count) as scored_count,
        sum(rates.unmapped_count) as unmapped_count,
    from rates
    inner join grades
        on rates.grade_key = grades.code
    inner join stage_names
        on grades.stage_code = stage_names.code
    group by stage_names.meaning_zh
    having sum(rates.scored_count) > 0
),

stages as (
    select
        stage_zh,
        ladder_year,
        case
            when not {{ is_void('good_or_excellent_count', 'scored_count', 'unmapped_count') }}
                then {{ metric_share('fitness_good_or_excellent_rate') }}
        end as good_or_excellent_share,
    from counted
)

select
    'fitness' as service,
    told.metric_value::decimal(18, 2) as figure_value,
    {{ card_text('fitness', 'figure_label') }} as figure_label_zh,
    {{ card_text('fitness', 'figure_label', 'en') }} as figure_label_en,
    format({{ card_text('fitness', 'period') }}, school_year) as period_label,
    format({{ card_text('fitness', 'note') }}, scored_count)
    || case
        when good_or_excellent_share is null then {{ card_text('fitness', 'note_void') }}
        when unmapped_count > 0 then {{ card_text('fitness', 'note_unmapped') }}
        else ''
    end as note_zh,
    (
        select
            to_json(
                list(
                    struct_pack(x := stage_zh, y := (100 * good_or_excellent_share)::decimal(5, 1))
                    order by ladder_year
                ) filter (where good_or_excellent_share is not null)
            )
        from stages
    )::varchar as series_json,
from rates
left join {{ ref('fct_metric_value') }} as told
    on
        told.metric_code = 'fitness_good_or_excellent_rate'
        and told.value_basis = 'counted'
        and told.unit_level = 'city'
        and rates.school_year_start = told.period_year
where rates.grade_key = 'all' and rates.scored_count > 0
