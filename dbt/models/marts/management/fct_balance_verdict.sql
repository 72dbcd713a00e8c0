-- one row per balance standard and district
with verdicts as (select * from {{ ref('stg_evaluation__balance_verdict') }}),

districts as (select * from {{ ref('dim_district') }})

select
    verdicts.standard,
    verdicts.district_code,
    districts.district_name_zh,
    verdicts.school_year_start,
    verdicts.verdict,
    verdicts.first_failed_gate,
    verdicts.first_failed_rule,
    verdicts.first_failed_state,
    verdicts.met_count,
    verdicts.not_met_count,
    verdicts.not_collected_count,
    verdicts.not_applicable_count,
    verdicts.run_id as decided_by_run_id,
from verdicts
left join districts
    on verdicts.district_code = districts.district_code
