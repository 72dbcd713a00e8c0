-- one row per school year, class and test that found something unusual, of the newest vintage
with vintage as ({{ latest_vintage('decision_fitness__review_evidence') }})

select school_year_start, school_code, class_code, test_code, test_zh, p_value, evidence, likely_repair
from vintage
