-- one row per open school: what it has to do for its safety
with statuses as (select * from {{ ref('fct_safety_campus_status') }}),

hazards as (
    select
        school_code,
        count(*) filter (where is_hazard_open) as open_hazard_count,
        count(*) filter (where is_hazard_overdue) as overdue_hazard_count,
        min(hazard_due_date) filter (where is_hazard_open) as next_hazard_due_date,
    from {{ ref('fct_safety_hazard') }}
    group by school_code
),

alerts as (
    select
        school_code,
        count(*) filter (where is_pending) as pending_alert_count,
        count(*) filter (where is_overdue) as overdue_alert_count,
    from {{ ref('fct_safety_alert') }}
    where school_code is not null
    group by school_code
),

drills as (
    select school_code, max(drill_date) as newest_drill_date
    from {{ ref('stg_safety__drill') }}
    group by school_code
)

select
    statuses.school_code,
    statuses.school_name,
    statuses.district_code,
    statuses.is_safe_campus_met,
    statuses.criterion_count,
    statuses.met_criterion_count,
    statuses.failed_criteria_zh,
    statuses.unmapped_count,
    coalesce(hazards.open_hazard_count, 0)::integer as open_hazard_count,
    coalesce(hazards.overdue_hazard_count, 0)::integer as overdue_hazard_count,
    hazards.next_hazard_due_date,
    drills.newest_drill_date,
    coalesce(alerts.pending_alert_count, 0)::integer as pending_alert_count,
    coalesce(alerts.overdue_alert_count, 0)::integer as overdue_alert_count,
from statuses
left join hazards
    on statuses.school_code = hazards.school_code
left join alerts
    on statuses.school_code = alerts.school_code
left join drills
    on statuses.school_code = drills.school_code
