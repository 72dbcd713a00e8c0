-- one row per alert
with all_alerts as (select * from {{ ref('stg_safety__alert') }}),

schools as (select * from {{ ref('dim_school') }}),

answers as (select * from {{ ref('int_safety__alert_followed') }}),

hazards as (select * from {{ ref('stg_safety__hazard') }}),

watched as (select * from {{ ref('stg_safety__hazard_watch') }}),

-- a hazard that its register calls closed has closed its alert; its level rises while it is not; an outbreak
-- that goes on days after its alert was closed is open again
followed as (
    select
        answers.* exclude (alert_state_code, closed_state_date),
        case
            when all_alerts.last_date > answers.closed_state_date + 4 and all_alerts.state = 'new' then 'seen'
            else answers.alert_state_code
        end as alert_state_code,
        case
            when all_alerts.last_date > answers.closed_state_date + 4 and all_alerts.state = 'new' then null
            else answers.closed_state_date
        end as closed_state_date,
    from answers
    inner join all_alerts
        on answers.alert_id = all_alerts.alert_id
),

stated as (
    select
        alerts.*,
        case
            when followed.alert_state_code in ('handled', 'false') then followed.alert_state_code
            when hazards.hazard_status_code = 'closed' then 'handled'
            when alerts.state in ('over', 'joined') then alerts.state
            else coalesce(followed.alert_state_code, alerts.state)
        end as alert_state,
        coalesce(
            followed.closed_state_date,
            case
                when hazards.hazard_status_code = 'closed'
                    then greatest(coalesce(hazards.hazard_done_date, alerts.alert_date), alerts.alert_date)
            end
        ) as alert_closed_date,
        followed.answered_date,
        coalesce(watched.escalation_level, alerts.level) as alert_level,
        coalesce(watched.escalation_owner, alerts.owner) as current_owner,
    from all_alerts as alerts
    left join followed
        on alerts.alert_id = followed.alert_id
    left join hazards
        on
            starts_with(alerts.rule_code, 'HAZARD_')
            and alerts.school_code = hazards.school_code
            and alerts.condition_code = hazards.hazard_code
    left join watched
        on hazards.school_code = watched.school_code and hazards.hazard_code = watched.hazard_code
)

select
    stated.alert_id,
    stated.rule_code,
    stated.rule_zh,
    stated.alert_unit_level,
    stated.alert_unit_code,
    stated.school_code,
    schools.school_name,
    coalesce(schools.district_code, nullif(split_part(stated.alert_unit_code, '|', 1), stated.school_code))
        as district_code,
    nullif(stated.class_name, '') as class_name,
    nullif(stated.condition_code, '') as condition_code,
    stated.alert_date,
    stated.window_start_date,
    stated.last_date,
    stated.raised_date,
    stated.observed as observed_count,
    stated.expected as expected_count,
    stated.upper_bound as upper_bound_count,
    stated.p_value::decimal(9, 8) as p_value,
    stated.alert_level,
    coalesce(stated.raised_level, stated.level) as raised_level,
    stated.current_owner as owner,
    stated.due_date,
    stated.alert_state,
    stated.answered_date,
    stated.alert_closed_date,
    (stated.alert_closed_date - stated.alert_date)::integer as days_to_close,
    stated.alert_state in ('new', 'seen') as is_pending,
    stated.alert_state in ('new', 'seen') and stated.due_date < {{ as_of_date() }} as is_overdue,
    stated.evidence,
    coalesce(stated.raised_by_run_id, stated.run_id) as raised_by_run_id,
from stated
left join schools
    on stated.school_code = schools.school_code
