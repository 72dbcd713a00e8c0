-- one row per school, class, day and leading symptom
select school_code, class_name, grade_key, reported_date, symptom_code, absent_count
from {{ source('newest_by_scope', 'clean_safety__illness_report') }}
