-- one row per site with plan indicators: the card of evaluation, how many newest values meet their target
with indicators as (
    select
        judged.indicator_no,
        judged.indicator_year,
        judged.indicator_zh,
        judged.is_met,
        judged.target_value,
        told.metric_value,
    from {{ ref('fct_plan_indicator') }} as judged
    left join {{ ref('fct_metric_value') }} as told
        on
            judged.indicator_code = told.metric_code
            and told.value_basis = 'reported'
            and told.unit_level = 'city'
            and judged.indicator_year = told.period_year
    where judged.unit_level = 'city' and judged.is_newest_year
),

counted as (
    select
        count(*) as indicator_count,
        count(*) filter (where is_met) as met_count,
        count(*) filter (where is_met is null) as without_value_count,
        max(indicator_year) as newest_year,
        string_agg(indicator_zh, '、' order by indicator_no) filter (where not is_met) as not_met_zh,
        -- each value as percent of its target, so that one axis serves all
        to_json(
            list(
                struct_pack(x := indicator_zh, y := (100 * metric_value / target_value)::decimal(8, 1))
                order by indicator_no
            ) filter (where metric_value is not null)
        ) as series_json,
    from indicators
    having count(*) > 0
)

select
    'evaluation' as service,
    met_count::decimal(18, 2) as figure_value,
    format({{ card_text('evaluation', 'figure_label') }}, indicator_count) as figure_label_zh,
    format({{ card_text('evaluation', 'figure_label', 'en') }}, indicator_count) as figure_label_en,
    format({{ card_text('evaluation', 'period') }}, newest_year) as period_label,
    case
        when without_value_count > 0
            then format({{ card_text('evaluation', 'note_without_value') }}, without_value_count)
        when not_met_zh is not null then format({{ card_text('evaluation', 'note_not_met') }}, not_met_zh)
        else {{ card_text('evaluation', 'note_all_met') }}
    end as note_zh,
    series_json::varchar as series_json,
from counted
