-- one row per open school: safe campus (indicator 12) where no required criterion fails
with criteria as (select * from {{ ref('fct_safety_campus_criterion') }} where is_required),

unmapped as (select * from {{ ref('int_safety__unmapped') }})

select
    criteria.school_code,
    criteria.school_name,
    criteria.district_code,
    count(*)::integer as criterion_count,
    (count(*) filter (where is_criterion_met))::integer as met_criterion_count,
    (count(*) filter (where not is_criterion_met))::integer as failed_criterion_count,
    (count(*) filter (where criterion_missing_reason is not null and is_criterion_met is not null))::integer
        as untold_criterion_count,
    string_agg(criterion_zh, '、' order by criterion_code) filter (where not is_criterion_met)
        as failed_criteria_zh,
    count(*) filter (where not is_criterion_met) = 0 as is_safe_campus_met,
    coalesce(max(unmapped.unmapped_count), 0) as unmapped_count,
    criteria.decided_by_run_id,
from criteria
left join unmapped
    on criteria.school_code = unmapped.school_code
group by criteria.school_code, criteria.school_name, criteria.district_code, criteria.decided_by_run_id
