-- one row per visit, the best first: the first k rows are the plan of k visits
with visits as (select * from {{ ref('stg_safety__visit') }}),

schools as (select * from {{ ref('dim_school') }}),

risks as (select * from {{ ref('stg_safety__risk') }})

select
    visits.visit_rank,
    visits.school_code,
    schools.school_name,
    schools.district_code,
    visits.visit_number,
    risks.incident_rate,
    risks.open_hazard_count,
    risks.overdue_hazard_count,
    visits.risk_before,
    visits.risk_lowered,
    visits.risk_lowered_total,
from visits
left join schools
    on visits.school_code = schools.school_code
left join risks
    on visits.school_code = risks.school_code
