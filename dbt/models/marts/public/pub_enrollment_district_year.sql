-- one row per level (city, district), unit, stage and school year; districts add up to the city within a stage
with grade_counts as (select * from {{ ref('fct_enrollment_grade') }}),

districts as (select * from {{ ref('dim_district') }}),

stages as (select * from {{ source('standards', 'stage') }}),

counted as (
    select
        case when grouping(district_code) = 1 then 'city' else 'district' end as unit_level,
        district_code,
        stage_code,
        school_year_start,
        school_year,
        sum(pupil_count)::integer as pupil_count,
        bool_or(has_unmapped_code) as has_unmapped_code,
    from grade_counts
    group by grouping sets (
        (district_code, stage_code, school_year_start, school_year),
        (stage_code, school_year_start, school_year)
    )
),

judged as (
    select
        *,
        {{ hidden_reason(['pupil_count'], ['unit_level', 'stage_code', 'school_year_start'], ['district_code']) }}
            as pupil_count_missing_reason,
    from counted
)

select
    judged.unit_level,
    judged.district_code,
    districts.district_name_zh,
    judged.stage_code,
    stages.meaning_zh as stage_zh,
    judged.school_year_start,
    judged.school_year,
    case when judged.pupil_count_missing_reason is null then judged.pupil_count end as pupil_count,
    judged.pupil_count_missing_reason,
    -- the district of some pupils is not known: any row of the stage may be short of them
    coalesce(
        bool_or(judged.has_unmapped_code) over (partition by judged.stage_code, judged.school_year_start), false
    ) as has_unmapped_code,
from judged
left join districts
    on judged.district_code = districts.district_code
left join stages
    on judged.stage_code = stages.code
-- pupils of no known district are in the city's row alone, and hidden behind others where they are few
where judged.unit_level = 'city' or judged.district_code is not null
