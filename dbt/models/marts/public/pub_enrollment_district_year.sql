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
        case
            when grouping(district_code) = 1 then bool_and(is_city_complete)
            else bool_and(is_district_complete)
        end as is_complete,
    from grade_counts
    group by grouping sets (
        (district_code, stage_code, school_year_start, school_year),
        (stage_code, school_year_start, school_year)
    )
)

select
    counted.unit_level,
    counted.district_code,
    districts.district_name_zh,
    counted.stage_code,
    stages.meaning_zh as stage_zh,
    counted.school_year_start,
    counted.school_year,
    counted.pupil_count,
    -- small counts are hidden where all tables and earlier releases are known: jobs/publish/protect
    null::varchar as pupil_count_missing_reason,
    -- the district of some pupils is not known: any row of the stage may be short of them
    coalesce(
        bool_or(counted.has_unmapped_code) over (partition by counted.stage_code, counted.school_year_start), false
    ) as has_unmapped_code,
    coalesce(counted.is_complete, true) as is_complete,
from counted
left join districts
    on counted.district_code = districts.district_code
left join stages
    on counted.stage_code = stages.code
-- pupils of no known district are in the city's row alone
where counted.unit_level = 'city' or counted.district_code is not null
