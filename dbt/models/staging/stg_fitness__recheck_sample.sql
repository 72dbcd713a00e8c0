-- one row per pupil and school year that the bureau rechecked: the statement that counts
select
    pupil_key,
    school_year_start,
    school_code,
    fitness_grade_code,
    class_code,
    sex_code,
    recheck_date,
    flags,
from {{ source('newest_by_scope', 'clean_fitness__recheck_sample') }}
