-- one row per school, school year and grade
with grade_counts as (select * from {{ ref('stg_enrollment__grade_count') }}),

schools as (select * from {{ ref('dim_school') }}),

grades as (select * from {{ source('standards', 'grade') }}),

units as (
    select
        unit_code,
        arg_max(parent_unit_code, school_year_start) as parent_unit_code,
        min(school_year_start) as first_year,
        max(school_year_start) as last_year,
    from grade_counts
    group by unit_code
),

-- units that were counted before and are not in a year though nothing ended them: late, refused or lost
missing as (
    select
        years.school_year_start,
        units.unit_code,
        coalesce(units.parent_unit_code, schools.district_code) as district_code,
    from (select distinct school_year_start from grade_counts) as years
    inner join units
        on years.school_year_start > units.first_year
    left join schools
        on units.unit_code = schools.school_code
    where
        not exists (
            select 1 from grade_counts
            where
                grade_counts.unit_code = units.unit_code
                and grade_counts.school_year_start = years.school_year_start
        )
        and (
            units.last_year > years.school_year_start
            or (
                schools.is_registered
                and coalesce({{ school_year_of('(schools.closed_date - 1)') }} >= years.school_year_start, true)
            )
            -- of units in no register nobody says that they ended; a whole district does not end
            or (
                units.parent_unit_code is not null and not exists (
                    select 1 from grade_counts
                    where
                        grade_counts.parent_unit_code = units.parent_unit_code
                        and grade_counts.school_year_start = years.school_year_start
                )
            )
        )
),

missing_of_year as (select distinct school_year_start from missing),

missing_of_district as (select distinct school_year_start, district_code from missing)

select
    grade_counts.unit_code as school_code,
    schools.school_name,
    -- the district of that year, as the return says; today's where it says none
    coalesce(grade_counts.parent_unit_code, schools.district_code) as district_code,
    grade_counts.school_year_start,
    {{ school_year_label('grade_counts.school_year_start') }} as school_year,
    grades.stage_code,
    grade_counts.grade_key,
    grade_counts.pupil_count,
    grade_counts.school_year_start
    = max(grade_counts.school_year_start) over (partition by grade_counts.unit_code) as is_newest_school_year,
    -- every other code of a return is open or part of its key
    coalesce(grade_counts.parent_unit_code is null and schools.is_registered and schools.district_code is null, false)
        as has_unmapped_code,
    missing_of_district.school_year_start is null as is_district_complete,
    missing_of_year.school_year_start is null as is_city_complete,
from grade_counts
left join schools
    on grade_counts.unit_code = schools.school_code
left join grades
    on grade_counts.grade_key = grades.code
left join missing_of_year
    on grade_counts.school_year_start = missing_of_year.school_year_start
left join missing_of_district
    on
        grade_counts.school_year_start = missing_of_district.school_year_start
        and coalesce(grade_counts.parent_unit_code, schools.district_code) = missing_of_district.district_code
