-- one row per alert: raised once for ever, so all vintages count, and of a repeated one the first
with alerts as (
    select *
    from {{ source('lake', 'decision_safety__alert') }}
    where recorded_at <= {{ known_at() }}
    qualify row_number() over (partition by alert_id order by recorded_at, {{ run_number() }}, run_id) = 1
)

select
    alert_id,
    run_id,
    recorded_at,
    rule_code,
    rule_zh,
    alert_unit_level,
    alert_unit_code,
    school_code,
    class_name,
    condition_code,
    alert_date,
    window_start_date,
    observed,
    expected,
    upper_bound,
    p_value,
    level,
    owner,
    due_date,
    state,
    evidence,
from alerts
