-- one row per standard, school and stage of the newest run
select
    standard,
    school_year_start,
    district_code,
    school_code,
    stage_code,
    pupil_count,
    met_count,
    lowest_share_of_threshold,
    verdict,
    missing_reason,
    run_id,
from {{ source('newest_by_scope', 'decision_evaluation__balance_school') }}
