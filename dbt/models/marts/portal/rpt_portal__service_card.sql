-- one row per decision service, four at every site; a service without figures says no_data
with services as (
    select *
    from (
        values
        (
            'places', 1, '中小学学位预测', 'School places', '人', 'fan', 'fct_places_forecast',
            '以各校分年级在校生数按升级率推算、逐级相加的全市在校生数；区间为同一方法历年误差所得的 80% 区间。',
            'Pupils of all grades, by grade progression school by school and added up; the 80 % interval comes from the method''s own past errors.'
        ),
        (
            'evaluation', 2, '教育评估监测', 'Evaluation', '项', 'bar', 'fct_plan_indicator',
            '“十四五”教育规划 12 项主要指标中，最近年度全市数值达到 2025 年目标的项数；柱形为各项数值相当于目标的百分比。',
            'Of the plan''s twelve main indicators, how many have a newest city value that meets the target for 2025.'
        ),
        (
            'fitness', 3, '学生体质健康', 'Pupils'' fitness', '%', 'bar', 'fct_fitness_school_year',
            '按测试当日有效的国家标准评分，总分达到良好及以上的学生占已评分学生的比例。',
            'Pupils rated good or excellent by the national standard in force on the test day, of all who have a total score.'
        ),
        (
            'safety', 4, '校园安全稳定', 'Campus safety', '条', 'line', 'fct_safety_alert',
            '截至数据日期 30 日内触发、尚未处理完毕的预警条数；折线为近 12 个月发生的校园安全事件数。',
            'Alerts of the last 30 days that nobody has closed; the line shows incidents by month of the last twelve.'
        )
    ) as told (
        service, sort_order, title_zh, title_en, figure_unit_zh, chart_kind, detail_table,
        definition_zh, definition_en
    )
),

forecasts as (
    select *
    from {{ ref('fct_places_forecast') }}
    where unit_level = 'city' and grade_span = 'all'
),

past_years as (
    select school_year_start, sum(pupil_count) as pupil_count
    from {{ ref('fct_enrollment_grade') }}
    where school_year_start <= (select max(origin_school_year_start) from forecasts)
    group by school_year_start
    order by school_year_start desc
    limit 10
),

-- what the same method would have missed by in past years, a year ahead
past_errors as (
    select format(
        '近 {} 次提前一年的预测，各单位平均误差 {}%。', origin_count, mape_percent::decimal(8, 1)
    ) as told
    from {{ ref('fct_places_forecast_error') }}
    where unit_level = 'school' and lead_years = 1
),

places as (
    select
        'places' as service,
        next_year.forecast_count as figure_value,
        next_year.school_year || ' 学年在校生预测' as figure_label_zh,
        'Pupils forecast for ' || next_year.school_year as figure_label_en,
        next_year.school_year || ' 学年' as period_label,
        format(
            '{} 学年在校 {:,} 人；80% 区间 {:,}–{:,} 人。',
            next_year.origin_school_year_start || '-' || (next_year.origin_school_year_start + 1),
            current_year.pupil_count::bigint,
            next_year.lower_80_count::bigint,
            next_year.upper_80_count::bigint
        ) || coalesce((select told from past_errors), '') as note_zh,
        (
            select to_json(list(struct_pack(x := x, y := y, lower := lower, upper := upper) order by x))
            from (
                select school_year_start as x, pupil_count::bigint as y, null::bigint as lower, null::bigint as upper
                from past_years
                union all
                select
                    school_year_start,
                    forecast_count::bigint,
                    lower_80_count::bigint,
                    upper_80_count::bigint
                from forecasts
            )
        ) as series_json,
    from forecasts as next_year
    left join past_years as current_year
        on next_year.origin_school_year_start = current_year.school_year_start
    where next_year.lead_years = 1
),

indicators as (
    select * from {{ ref('fct_plan_indicator') }} where unit_level = 'city' and is_newest_year
),

evaluation as (
    select
        'evaluation' as service,
        count(*) filter (where is_met) as figure_value,
        count(*) || ' 项规划指标中已达标' as figure_label_zh,
        'Of ' || count(*) || ' plan indicators, met' as figure_label_en,
        max(indicator_year) || ' 年' as period_label,
        case
            when count(*) filter (where is_met is null) > 0
                then count(*) filter (where is_met is null) || ' 项没有全市数值。'
            else coalesce(
                '未达标：' || string_agg(indicator_zh, '、' order by indicator_no) filter (where not is_met) || '。',
                '全部达标。'
            )
        end as note_zh,
        -- each value as percent of its target, so that one axis serves all
        to_json(
            list(
                struct_pack(x := indicator_zh, y := (100 * indicator_value / target_value)::decimal(8, 1))
                order by indicator_no
            ) filter (where indicator_value is not null)
        ) as series_json,
    from indicators
    having count(*) > 0
),

results as (
    select *
    from {{ ref('fct_fitness_result') }}
    where
        school_year_start = (
            select max(school_year_start) from {{ ref('fct_fitness_school_year') }} where scored_count > 0
        )
),

{% set good = "count(*) filter (where results.fitness_level in ('优秀', '良好'))" -%}
{% set scored = "count(*) filter (where results.is_scored)" -%}
{% set unmapped = "count(*) filter (where results.has_unmapped_code)" -%}
{% set share_not_void -%} case when not {{ is_void(good, scored, unmapped) }} then {{ share(good, scored) }} end {%- endset -%}

stages as (
    select
        names.meaning_zh as stage_zh,
        min(grades.ladder_year::integer) as ladder_year,
        {{ share_not_void }} as good_or_excellent_share,
    from results
    inner join {{ source('standards', 'grade') }} as grades
        on results.grade_key = grades.code
    inner join {{ source('standards', 'stage') }} as names
        on grades.stage_code = names.code
    group by names.meaning_zh
    having {{ scored }} > 0
),

fitness as (
    select
        'fitness' as service,
        100 * {{ share_not_void }} as figure_value,
        '体质健康优良率' as figure_label_zh,
        'Share rated good or excellent' as figure_label_en,
        max(school_year) || ' 学年' as period_label,
        format('已评分学生 {:,} 人；柱形为各学段优良率。', {{ scored }})
        || case
            when {{ is_void(good, scored, unmapped) }} then '未识别的代码过多，优良率不成立。'
            when {{ unmapped }} > 0 then '部分结果的代码未识别，未计入。'
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
        ) as series_json,
    from results
    having {{ scored }} > 0
),

alerts as (
    select *
    from {{ ref('fct_safety_alert') }}
    where alert_date > {{ as_of_date() }} - 30 and alert_date <= {{ as_of_date() }}
),

incident_months as (
    select month_start_date, sum(incident_count)::integer as incident_count
    from {{ ref('fct_safety_incident_month') }}
    group by month_start_date
),

-- a month without incidents is a zero, not a gap
months as (
    select
        month.month_start_date::date as month_start_date,
        coalesce(incident_months.incident_count, 0) as incident_count,
    from
        generate_series(
            date_trunc('month', {{ as_of_date() }}) - interval 11 month,
            date_trunc('month', {{ as_of_date() }}),
            interval 1 month
        ) as month (month_start_date)
    left join incident_months
        on month.month_start_date::date = incident_months.month_start_date
),

safety as (
    select
        'safety' as service,
        (select count(*) from alerts where is_pending) as figure_value,
        '近 30 日未办结预警' as figure_label_zh,
        'Open alerts of the last 30 days' as figure_label_en,
        ({{ as_of_date() }} - 29) || ' 至 ' || {{ as_of_date() }} as period_label,
        format(
            '近 30 日共触发预警 {} 条；本月已报告校园安全事件 {} 起。',
            (select count(*) from alerts),
            (
                select incident_count
                from months
                where month_start_date = date_trunc('month', {{ as_of_date() }})
            )
        ) as note_zh,
        (
            select
                to_json(
                    list(
                        struct_pack(x := strftime(month_start_date, '%Y-%m'), y := incident_count)
                        order by month_start_date
                    )
                )
            from months
        ) as series_json,
    where
        exists (select 1 from {{ ref('fct_safety_alert') }})
        or exists (select 1 from {{ ref('fct_safety_incident_month') }})
        or exists (select 1 from {{ source('lake', 'decision_safety__daily') }})
),

figures as (
    select * from places
    union all by name
    select * from evaluation
    union all by name
    select * from fitness
    union all by name
    select * from safety
)

select
    services.service,
    services.sort_order::integer as sort_order,
    services.title_zh,
    services.title_en,
    figures.figure_value::decimal(18, 2) as figure_value,
    services.figure_unit_zh,
    figures.figure_label_zh,
    figures.figure_label_en,
    services.definition_zh,
    services.definition_en,
    figures.period_label,
    {{ as_of_date() }} as as_of_date,
    case when figures.figure_value is null then 'no_data' else 'ok' end as status,
    coalesce(figures.note_zh, '本站点没有这项服务的数据。') as note_zh,
    figures.series_json::varchar as series_json,
    case when figures.figure_value is not null then services.chart_kind end as chart_kind,
    services.detail_table,
from services
left join figures
    on services.service = figures.service
