-- one row per standard, district, stage and indicator of the newest run
select
    standard,
    school_year_start,
    district_code,
    stage_code,
    indicator_code,
    indicator_mean,
    coefficient_of_variation,
    coefficient_limit,
    school_count,
    below_count,
    verdict,
    missing_reason,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_coefficient') }}
