-- one row per school year and unit (class or school): how odd its results look, and by what
with units as (select * from {{ ref('stg_fitness__review') }}),

schools as (select * from {{ ref('dim_school') }}),

grades as (select * from {{ source('standards', 'grade') }}),

ranked as (
    select
        *,
        row_number() over (
            partition by school_year_start, school_code, class_code
            order by p_value, test_code
        ) as evidence_rank,
    from {{ ref('stg_fitness__review_evidence') }}
),

told as (
    select
        school_year_start,
        school_code,
        class_code,
        -- the three most telling; all of them stand in the lake
        string_agg(test_zh || '：' || evidence, '；' order by evidence_rank) filter (where evidence_rank <= 3)
            as evidence,
        string_agg(likely_repair, '；' order by evidence_rank) as likely_repair,
        min(test_zh) filter (where evidence_rank = 1) as main_test_zh,
    from ranked
    group by school_year_start, school_code, class_code
)

select
    units.review_level,
    units.school_code,
    schools.school_name,
    schools.district_code,
    units.class_code,
    grades.code as grade_key,
    units.school_year_start,
    {{ school_year_label('units.school_year_start') }} as school_year,
    units.pupil_count as submitted_count,
    units.class_count,
    units.flagged_class_count,
    units.is_flagged as is_to_review,
    units.suspicion_score,
    units.q_value,
    told.main_test_zh,
    case
        when units.review_level = 'class' then told.evidence
        when units.flagged_class_count > 0
            then units.class_count || ' 个班中 ' || units.flagged_class_count || ' 个班待复核'
    end as evidence,
    told.likely_repair,
    units.method as review_method,
from units
left join told
    on
        units.school_year_start = told.school_year_start
        and units.school_code = told.school_code
        and units.class_code = told.class_code
left join schools
    on units.school_code = schools.school_code
left join grades
    on units.fitness_grade_code::varchar = grades.fitness_code::varchar
