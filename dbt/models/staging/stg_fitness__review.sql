-- one row per school year and unit (class or school), of the newest vintage
with vintage as ({{ latest_vintage('decision_fitness__review') }})

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
from vintage
