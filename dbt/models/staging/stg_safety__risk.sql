-- one row per school of the newest run
select
    school_code,
    risk_incident_count,
    pupil_years,
    raw_incident_rate,
    incident_rate,
    incident_rate_lower,
    incident_rate_upper,
    shrinkage_share,
    open_hazard_count,
    overdue_hazard_count,
    expected_incidents,
    run_id,
from {{ source('newest_by_scope', 'decision_safety__risk') }}
