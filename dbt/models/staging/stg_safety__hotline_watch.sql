-- one row per hotline case with a clock, of the newest run
with vintage as ({{ latest_vintage('decision_safety__hotline') }})

select hotline_case_code, hours_allowed, case_due_date, is_case_open, is_case_late
from vintage
