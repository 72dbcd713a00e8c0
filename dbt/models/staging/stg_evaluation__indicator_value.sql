-- one row per district, indicator and year, as reported
select district_code, indicator_code, indicator_year, indicator_value, numerator, denominator
from {{ source('newest_by_scope', 'clean_evaluation__indicator_value') }}
