-- one row per school year and unit (class or school), of the newest vintage
select
    school_year_start,
    review_level,
    school_code,
    class_code,
    fitness_grade_code,
    pupil_count,
    class_count,
    flagged_class_count,
    p_value,
    q_value,
    suspicion_score,
    is_flagged,
    main_test_code,
    method,
from {{ source('newest_by_scope', 'decision_fitness__review') }}
