-- one row per open school and safe-campus criterion that applies to it
with criteria as (select * from {{ ref('stg_safety__criterion') }}),

schools as (select * from {{ ref('dim_school') }})

select
    criteria.school_code,
    schools.school_name,
    schools.district_code,
    criteria.criterion_code,
    criteria.criterion_zh,
    criteria.criterion_value,
    criteria.criterion_threshold,
    criteria.criterion_operator,
    criteria.criterion_unit,
    criteria.is_required,
    criteria.is_criterion_met,
    criteria.criterion_missing_reason,
    criteria.evidence_date,
    criteria.criterion_source,
    criteria.run_id as decided_by_run_id,
from criteria
left join schools
    on criteria.school_code = schools.school_code
