-- one row per district, indicator and year, as reported
with statements as ({{ in_force('clean_evaluation__indicator_value') }})

select district_code, indicator_code, indicator_year, indicator_value, numerator, denominator
from statements
