-- one row per school year, class and test that found something unusual, of the newest vintage
select school_year_start, school_code, class_code, test_code, test_zh, p_value, evidence, likely_repair
from {{ source('newest_by_scope', 'decision_fitness__review_evidence') }}
