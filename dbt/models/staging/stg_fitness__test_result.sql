-- one row per pupil, school year and sitting (first or retest): the upload that counts
with statements as ({{ in_force('clean_fitness__test_result') }})

select
    pupil_key,
    school_year_start,
    coalesce(is_retest, false) as is_retest,
    school_code,
    fitness_grade_code,
    class_code,
    sex_code,
    test_date,
    exemption_status,
    naked_vision_left,
    naked_vision_right,
    sphere_left_d,
    sphere_right_d,
    cylinder_left_d,
    cylinder_right_d,
    eyewear_code,
    flags,
from statements
