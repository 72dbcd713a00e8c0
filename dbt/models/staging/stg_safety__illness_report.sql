-- one row per school, class, day and leading symptom
with statements as ({{ in_force('clean_safety__illness_report') }})

select school_code, class_name, grade_key, reported_date, symptom_code, absent_count
from statements
