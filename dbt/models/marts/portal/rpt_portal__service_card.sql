-- one row per decision service, four at every site; a service without figures says no_data
with services as (
    select
        listed.service,
        listed.sort_order,
        listed.chart_kind,
        listed.detail_table,
    from (
        values
        ('places', 1, 'fan', 'fct_places_forecast'),
        ('evaluation', 2, 'bar', 'fct_plan_indicator'),
        ('fitness', 3, 'bar', 'fct_fitness_school_year'),
        ('safety', 4, 'line', 'fct_safety_alert')
    ) as listed (service, sort_order, chart_kind, detail_table)
),

texts as (
    select
        service,
        max(zh) filter (where text = 'title') as title_zh,
        max(en) filter (where text = 'title') as title_en,
        max(zh) filter (where text = 'figure_unit') as figure_unit_zh,
        max(zh) filter (where text = 'definition') as definition_zh,
        max(en) filter (where text = 'definition') as definition_en,
    from {{ source('standards', 'portal_text') }}
    group by service
),

figures as (
    {%- for service in ['places', 'evaluation', 'fitness', 'safety'] %}
    select * from {{ ref('rpt_portal__card_' ~ service) }}
    {%- if not loop.last %}
    union all by name
    {%- endif %}
    {%- endfor %}
)

select
    services.service,
    services.sort_order::integer as sort_order,
    texts.title_zh,
    texts.title_en,
    figures.figure_value,
    texts.figure_unit_zh,
    figures.figure_label_zh,
    figures.figure_label_en,
    texts.definition_zh,
    texts.definition_en,
    figures.period_label,
    {{ as_of_date() }} as as_of_date,
    case when figures.figure_value is null then 'no_data' else 'ok' end as status,
    coalesce(figures.note_zh, {{ card_text('all', 'note_no_data') }}) as note_zh,
    -- null for a service that does not say
    figures.is_complete,
    figures.series_json,
    case when figures.figure_value is not null then services.chart_kind end as chart_kind,
    services.detail_table,
from services
left join texts
    on services.service = texts.service
left join figures
    on services.service = figures.service
