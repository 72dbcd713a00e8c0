-- one row per open school: safe campus (indicator 12) where no required criterion fails
with criteria as (select * from {{ ref('fct_safety_campus_criterion') }} where is_required)

select
    school_code,
    school_name,
    district_code,
    count(*)::integer as criterion_count,
    (count(*) filter (where is_criterion_met))::integer as met_criterion_count,
    (count(*) filter (where not is_criterion_met))::integer as failed_criterion_count,
    (count(*) filter (where criterion_missing_reason is not null and is_criterion_met is not null))::integer
        as untold_criterion_count,
    string_agg(criterion_zh, '、' order by criterion_code) filter (where not is_criterion_met)
        as failed_criteria_zh,
    count(*) filter (where not is_criterion_met) = 0 as is_safe_campus_met,
    decided_by_run_id,
from criteria
group by school_code, school_name, district_code, decided_by_run_id
