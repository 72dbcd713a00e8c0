-- one row per school and hazard, as last stated
select
    school_code,
    hazard_code,
    found_date,
    hazard_category_code,
    school_hazard_category_code,
    hazard_grade_code,
    hazard_funds_yuan,
    hazard_due_date,
    hazard_status_code,
    hazard_done_date,
    reviewed_date,
    {{ has_unmapped_code(['hazard_category_code', 'hazard_grade_code', 'hazard_status_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_safety__hazard') }}
