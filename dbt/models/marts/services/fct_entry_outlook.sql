-- one row per level (area, district, zone, city), unit, stage and coming school year, with who enters and what is free
with gaps as (select * from {{ ref('stg_places__gap') }} where level <> 'school'),

grades as (select * from {{ source('standards', 'grade') }}),

forecasts as (select * from {{ ref('stg_places__forecast') }}),

-- the first grade of each stage that the site has, and how many it has
entry_grades as (
    select
        grades.stage_code,
        arg_min(grades.code, grades.ladder_year::integer) as grade_key,
        count(*) as grade_count,
    from grades
    where grades.code in (select forecasts.grade_key from forecasts)
    group by grades.stage_code
),

parts as (select * from {{ ref('stg_places__part') }}),

levels as (
    select *
    from {{ standard_in_force('entry_level', as_of_date()) }}
),

entering as (
    select
        gaps.level as unit_level,
        gaps.unit_code,
        gaps.district_code,
        gaps.stage_code,
        entry_grades.grade_key,
        gaps.school_year_start,
        gaps.lead as lead_years,
        forecasts.forecast as expected_entrant_count,
        forecasts.lower_80 as lower_80_count,
        forecasts.upper_80 as upper_80_count,
        -- each year a school can take the places of one grade
        ((gaps.existing_place_count + gaps.expected_place_count) / entry_grades.grade_count)::decimal(12, 1)
            as entry_place_count,
        parts.is_birth_known,
        gaps.run_id,
    from gaps
    inner join entry_grades
        on gaps.stage_code = entry_grades.stage_code
    inner join forecasts
        on
            gaps.level = forecasts.level
            and gaps.unit_code = forecasts.unit_code
            and gaps.school_year_start = forecasts.school_year_start
            and entry_grades.grade_key = forecasts.grade_key
    left join parts
        on
            gaps.level = parts.level
            and gaps.unit_code = parts.unit_code
            and gaps.school_year_start = parts.school_year_start
            and entry_grades.grade_key = parts.grade_key
),

filled as (
    select
        *,
        case
            when expected_entrant_count = 0 then 0
            when entry_place_count > 0 then expected_entrant_count / entry_place_count
        end::decimal(12, 4) as entry_occupancy_share,
    from entering
),

-- no place for anybody is the tightest level
graded as (
    select
        filled.*,
        levels.entry_level,
        levels.entry_level_zh,
    from filled
    left join levels
        on
            levels.most_occupancy_share is null
            or filled.entry_occupancy_share <= levels.most_occupancy_share::decimal(12, 4)
    qualify
        row_number() over (
            partition by filled.unit_level, filled.unit_code, filled.stage_code, filled.school_year_start
            order by levels.most_occupancy_share::decimal(12, 4) nulls last
        ) = 1
),

districts as (select * from {{ ref('dim_district') }}),

stages as (select * from {{ source('standards', 'stage') }})

select
    graded.unit_level,
    graded.unit_code,
    graded.district_code,
    districts.district_name_zh,
    case graded.unit_level when 'area' then split_part(graded.unit_code, '/', -1) end as area_name,
    graded.stage_code,
    stages.meaning_zh as stage_zh,
    graded.grade_key,
    graded.school_year_start,
    {{ school_year_label('graded.school_year_start') }} as school_year,
    graded.lead_years,
    graded.entry_place_count,
    graded.expected_entrant_count,
    graded.lower_80_count,
    graded.upper_80_count,
    (graded.entry_place_count - graded.expected_entrant_count)::decimal(12, 1) as surplus_count,
    graded.entry_occupancy_share,
    graded.entry_level,
    graded.entry_level_zh,
    graded.is_birth_known,
    graded.run_id as decided_by_run_id,
from graded
left join districts
    on graded.district_code = districts.district_code
left join stages
    on graded.stage_code = stages.code
