-- one row per district that has an alert
with alerts as (select * from {{ ref('fct_safety_alert') }}),

districts as (select * from {{ ref('dim_district') }})

select
    alerts.district_code,
    districts.district_name_zh,
    count(*)::integer as alert_count,
    (count(*) filter (where alerts.is_pending))::integer as pending_alert_count,
    (count(*) filter (where alerts.is_overdue))::integer as overdue_alert_count,
    (count(*) filter (where alerts.alert_state = 'handled'))::integer as handled_alert_count,
    (count(*) filter (where alerts.alert_state = 'false'))::integer as false_alert_count,
    median(alerts.days_to_close)::decimal(8, 1) as median_days_to_close,
from alerts
left join districts
    on alerts.district_code = districts.district_code
where alerts.district_code is not null
group by alerts.district_code, districts.district_name_zh
