-- one row per hotline case, as last stated
select
    hotline_case_code,
    accepted_date,
    district_code,
    school_code,
    hotline_urgency_code,
    hotline_topic_code,
    closed_case_date,
    handling_hours,
    is_responded,
    is_resolved,
    is_satisfied,
    {{ has_unmapped_code(['district_code', 'hotline_urgency_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_evaluation__hotline_case') }}
