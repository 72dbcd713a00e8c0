-- one row per site with alerts, incidents or monitoring: the card of campus safety, the open alerts of 30 days
with all_alerts as (select * from {{ ref('fct_safety_alert') }}),

alerts as (
    select *
    from all_alerts
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
)

select
    'safety' as service,
    (select count(*) from alerts where is_pending)::decimal(18, 2) as figure_value,
    {{ card_text('safety', 'figure_label') }} as figure_label_zh,
    {{ card_text('safety', 'figure_label', 'en') }} as figure_label_en,
    format(
        {{ card_text('safety', 'period') }}, ({{ as_of_date() }} - 29)::varchar, ({{ as_of_date() }})::varchar
    ) as period_label,
    format(
        {{ card_text('safety', 'note') }},
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
    )::varchar as series_json,
where
    exists (select 1 from all_alerts)
    or exists (select 1 from incident_months)
    or exists (select 1 from {{ source('newest_by_scope', 'decision_safety__daily') }})
