-- one row per pupil and school year: the fitness result that counts, with its scores
with scores as (select * from {{ ref('int_fitness__sitting_chosen') }}),

rolls as (select * from {{ ref('int_enrollment__pupil_year') }}),

schools as (select * from {{ ref('dim_school') }}),

grades as (select * from {{ source('standards', 'grade') }})

select
    scores.pupil_key,
    scores.school_year_start,
    {{ school_year_label('scores.school_year_start') }} as school_year,
    scores.school_code,
    schools.district_code,
    grades.stage_code,
    scores.grade_key,
    scores.class_code,
    scores.sex_code,
    scores.test_date,
    scores.height_cm,
    scores.weight_kg,
    scores.bmi,
    scores.vital_capacity_ml,
    scores.run_50m_s,
    scores.sit_and_reach_cm,
    scores.rope_skip_1min_count,
    scores.sit_up_1min_count,
    scores.standing_long_jump_cm,
    scores.pull_up_count,
    scores.shuttle_run_50x8_s,
    scores.run_1000m_s,
    scores.run_800m_s,
    scores.points_bmi,
    scores.points_vital_capacity,
    scores.points_run_50m,
    scores.points_sit_and_reach,
    scores.points_rope_skip_1min,
    scores.points_sit_up_1min,
    scores.points_standing_long_jump,
    scores.points_pull_up,
    scores.points_shuttle_run_50x8,
    scores.points_run_1000m,
    scores.points_run_800m,
    scores.standard_score,
    scores.bonus_total,
    scores.total_score,
    scores.fitness_level,
    scores.status as score_status,
    scores.total_score is not null as is_scored,
    rolls.pupil_key is not null as is_on_roll,
    {{ fitness_has_unmapped_code() }} as has_unmapped_code,
    scores.standard_version,
from scores
left join rolls
    on
        scores.pupil_key = rolls.pupil_key
        and scores.school_year_start = rolls.school_year_start
left join schools
    on scores.school_code = schools.school_code
left join grades
    on scores.grade_key = grades.code
