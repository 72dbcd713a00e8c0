-- one row per school that has pupils
with risks as (select * from {{ ref('stg_safety__risk') }}),

schools as (select * from {{ ref('dim_school') }}),

unmapped as (select * from {{ ref('int_safety__unmapped') }})

select
    risks.school_code,
    schools.school_name,
    schools.district_code,
    schools.school_type_zh,
    risks.risk_incident_count,
    risks.pupil_years,
    risks.raw_incident_rate,
    risks.incident_rate,
    risks.incident_rate_lower,
    risks.incident_rate_upper,
    risks.shrinkage_share,
    risks.open_hazard_count,
    risks.overdue_hazard_count,
    risks.expected_incidents,
    coalesce(unmapped.unmapped_count, 0) as unmapped_count,
    (rank() over (order by risks.expected_incidents desc))::integer as risk_rank,
    risks.run_id as decided_by_run_id,
from risks
left join schools
    on risks.school_code = schools.school_code
left join unmapped
    on risks.school_code = unmapped.school_code
