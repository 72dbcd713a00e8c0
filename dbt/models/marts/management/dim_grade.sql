-- one row per grade of the ladder K1–S3
with grades as (select * from {{ source('standards', 'grade') }}),

stages as (select * from {{ source('standards', 'stage') }})

select
    grades.code as grade_key,
    grades.meaning_zh as grade_zh,
    grades.meaning_en as grade_en,
    grades.stage_code,
    stages.meaning_zh as stage_zh,
    stages.meaning_en as stage_en,
    grades.ladder_year::integer as ladder_number,
    (row_number() over (partition by grades.stage_code order by grades.ladder_year::integer))::integer
        as grade_number,
from grades
left join stages
    on grades.stage_code = stages.code
