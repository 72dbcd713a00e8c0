-- one row per hotline case with a clock, of the newest run
select hotline_case_code, hours_allowed, case_due_date, is_case_open, is_case_late
from {{ source('newest_by_scope', 'decision_safety__hotline') }}
