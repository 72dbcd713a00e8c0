-- one row per open school and stage, without kindergartens; what counts schools stands in one row of each school
with schools as (select * from {{ ref('int_enrollment__school') }} where is_open),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

members as (select distinct school_code from {{ ref('stg_resources__school_group') }}),

facilities as (
    select school_code, bool_or(is_open_to_public) as has_open_facility
    from {{ ref('stg_resources__shared_facility') }}
    group by school_code
),

-- a district of which no list ever came has told nothing: what its schools open is unknown
told as (
    select distinct schools.district_code
    from {{ ref('int_enrollment__school') }} as schools
    inner join facilities
        on schools.school_code = facilities.school_code
),

grades as (select * from {{ source('standards', 'grade') }}),

pupils as (
    select counts.unit_code as school_code, grades.stage_code, sum(counts.pupil_count) as pupil_count
    from {{ ref('stg_enrollment__grade_count') }} as counts
    inner join grades
        on counts.grade_key = grades.code
    where
        grades.stage_code <> 'kindergarten'
        and counts.school_year_start = (select max(school_year_start) from {{ ref('stg_enrollment__grade_count') }})
    group by counts.unit_code, grades.stage_code
),

listed as (
    select
        schools.school_code,
        schools.district_code,
        pupils.stage_code,
        coalesce(pupils.pupil_count, 0) as pupil_count,
        members.school_code is not null as is_in_group,
        case
            when told.district_code is not null then coalesce(facilities.has_open_facility, false)
        end as has_open_facility,
        row_number() over (partition by schools.school_code order by pupils.stage_code) = 1 as is_first_row,
    from schools
    left join types
        on schools.school_type_code = types.code
    left join pupils
        on schools.school_code = pupils.school_code
    left join members
        on schools.school_code = members.school_code
    left join facilities
        on schools.school_code = facilities.school_code
    left join told
        on schools.district_code = told.district_code
    where pupils.school_code is not null or types.stage_code <> 'kindergarten'
)

select
    school_code,
    district_code,
    stage_code,
    is_first_row::integer as school_count,
    (is_first_row and is_in_group)::integer as group_school_count,
    (is_first_row and has_open_facility)::integer as open_facility_school_count,
    pupil_count::integer as pupil_count,
    if(is_in_group, pupil_count, 0)::integer as group_pupil_count,
from listed
