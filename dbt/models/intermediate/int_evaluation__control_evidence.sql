-- one row per kind, district, school year and stage (null: of all): traces of what a count may lack or count too much
{{ config(materialized='table') }}

with schools as (select * from {{ ref('int_enrollment__school') }}),

grades as (select * from {{ source('standards', 'grade') }}),

types as (select * from {{ source('standards', 'school_type_prefix') }}),

cells as (
    select
        counts.unit_code,
        coalesce(counts.parent_unit_code, schools.district_code) as district_code,
        counts.school_year_start,
        grades.stage_code,
        grades.ladder_year::integer as ladder_year,
        counts.pupil_count,
        coalesce(schools.closed_date <= {{ school_year_begins('counts.school_year_start') }}, false) as is_closed,
        coalesce(schools.is_registered, false) as is_registered,
    from {{ ref('stg_enrollment__grade_count') }} as counts
    left join schools
        on counts.unit_code = schools.school_code
    inner join grades
        on counts.grade_key = grades.code
),

ladders as (
    select
        stage_code,
        min(ladder_year::integer) as first_grade,
        max(ladder_year::integer) as last_grade,
    from grades
    group by stage_code
),

unit_years as (
    select
        unit_code,
        school_year_start,
        max(school_year_start) over (partition by unit_code) as last_year,
    from cells
    group by unit_code, school_year_start
),

-- a cohort that is in the year before, or in the year after, was in the school in the year between; of the cohort
-- that leaves in the first year, or comes in the last, the same grade of the year beside it tells
expected as (
    select
        cells.unit_code,
        cells.district_code,
        cells.school_year_start + moved.years as school_year_start,
        cells.stage_code,
        cells.ladder_year + moved.grades as ladder_year,
        avg(cells.pupil_count) as pupil_count,
    from cells
    inner join (values (1, 1), (-1, -1), (1, 0), (-1, 0)) as moved (years, grades)
        on true
    inner join ladders
        on
            cells.stage_code = ladders.stage_code
            and cells.ladder_year + moved.grades between ladders.first_grade and ladders.last_grade
    inner join (
        select
            min(every_cell.school_year_start) as first_year,
            max(every_cell.school_year_start) as last_year,
        from cells as every_cell
    ) as span
        on true
    where
        moved.grades != 0
        or (
            moved.years = -1
            and cells.school_year_start - 1 = span.first_year
            and cells.ladder_year = ladders.last_grade
        )
        or (
            moved.years = 1
            and cells.school_year_start + 1 = span.last_year
            and cells.ladder_year = ladders.first_grade
        )
    group by all
),

taught as (select distinct unit_code, ladder_year from cells),

missing_grades as (
    select
        expected.*,
        unit_years.unit_code is null as is_whole_school,
    from expected
    -- a school that never has the grade lacks nothing
    inner join taught
        on expected.unit_code = taught.unit_code and expected.ladder_year = taught.ladder_year
    left join cells
        on
            expected.unit_code = cells.unit_code
            and expected.school_year_start = cells.school_year_start
            and expected.ladder_year = cells.ladder_year
    left join unit_years
        on expected.unit_code = unit_years.unit_code and expected.school_year_start = unit_years.school_year_start
    left join schools
        on expected.unit_code = schools.school_code
    where
        cells.unit_code is null
        and coalesce(schools.opened_date <= {{ school_year_begins('expected.school_year_start') }}, true)
        and coalesce(schools.closed_date > {{ school_year_begins('expected.school_year_start') }}, true)
        -- of a unit in no register nobody says that it did not end
        and (
            coalesce(schools.is_registered, false)
            or expected.school_year_start < (
                select max(told.last_year) from unit_years as told where told.unit_code = expected.unit_code
            )
        )
),

-- open by the register in a year of which its district has returned others
open_schools as (
    select
        schools.school_code,
        schools.district_code,
        years.school_year_start,
        types.stage_code,
    from schools
    inner join types
        on schools.school_type_code = types.code
    inner join (select distinct district_code, school_year_start from cells) as years
        on
            schools.district_code = years.district_code
            and coalesce(schools.opened_date <= {{ school_year_begins('years.school_year_start') }}, true)
            and coalesce(schools.closed_date > {{ school_year_begins('years.school_year_start') }}, true)
    where schools.is_registered and types.stage_code is not null
),

without_return as (
    select
        open_schools.*,
        unit_years.unit_code is null as is_without_return,
        staffed.school_code is null as is_without_staff,
    from open_schools
    left join unit_years
        on
            open_schools.school_code = unit_years.unit_code
            and open_schools.school_year_start = unit_years.school_year_start
    left join (select distinct school_code, school_year_start from {{ ref('stg_enrollment__staff_year') }}) as staffed
        on
            open_schools.school_code = staffed.school_code
            and open_schools.school_year_start = staffed.school_year_start
),

-- the files in which a district's figures stand, and how many of their lines were refused
files as (
    select distinct
        'pupil' as control_kind,
        coalesce(counts.parent_unit_code, schools.district_code) as district_code,
        counts.school_year_start,
        counts._delivery_id as delivery_id,
        counts._file_sha256 as file_sha256,
    from {{ ref('stg_enrollment__grade_count') }} as counts
    left join schools
        on counts.unit_code = schools.school_code
    union all
    select distinct
        'teacher' as control_kind,
        schools.district_code,
        staff.school_year_start,
        staff._delivery_id as delivery_id,
        staff._file_sha256 as file_sha256,
    from {{ ref('stg_enrollment__staff_year') }} as staff
    left join schools
        on staff.school_code = schools.school_code
    union all
    select distinct
        'school' as control_kind,
        register.district_code,
        years.school_year_start,
        register._delivery_id as delivery_id,
        register._file_sha256 as file_sha256,
    from {{ ref('stg_enrollment__school') }} as register
    inner join (select distinct school_year_start from cells) as years
        on true
),

refused as (
    select
        files.control_kind,
        files.district_code,
        files.school_year_start,
        sum(receipts.refused_count) as refused_line_count,
    from files
    inner join {{ ref('stg_ops__receipt') }} as receipts
        on files.delivery_id = receipts.delivery_id and files.file_sha256 = receipts.file_sha256
    group by all
),

traces as (
    select
        'pupil' as control_kind,
        district_code,
        school_year_start,
        stage_code,
        count(distinct unit_code) filter (where is_whole_school) as missing_school_count,
        coalesce(sum(pupil_count) filter (where is_whole_school), 0) as missing_school_pupil_count,
        count(*) as missing_grade_count,
        sum(pupil_count) as missing_grade_pupil_count,
    from missing_grades
    group by all
    union all by name
    select
        'pupil' as control_kind,
        district_code,
        school_year_start,
        stage_code,
        sum(pupil_count) as closed_count,
    from cells
    where is_closed
    group by all
    union all by name
    select
        'school' as control_kind,
        district_code,
        school_year_start,
        stage_code,
        count(*) as closed_count,
    from without_return
    where is_without_return
    group by all
    union all by name
    select
        'school' as control_kind,
        district_code,
        school_year_start,
        max_by(stage_code, ladder_year) as stage_code,
        count(distinct unit_code) as unregistered_count,
    from cells
    where not is_registered
    group by unit_code, district_code, school_year_start
    union all by name
    select
        'teacher' as control_kind,
        district_code,
        school_year_start,
        stage_code,
        count(*) as missing_school_count,
    from without_return
    where is_without_staff
    group by all
    union all by name
    select
        control_kind,
        district_code,
        school_year_start,
        null as stage_code,
        counted_count as unmapped_count,
    from {{ ref('int_evaluation__control_count') }}
    where stage_code is null
    union all by name
    select
        control_kind,
        district_code,
        school_year_start,
        null as stage_code,
        refused_line_count,
    from refused
)

select
    control_kind,
    district_code,
    school_year_start,
    stage_code,
    coalesce(sum(missing_school_count), 0)::integer as missing_school_count,
    coalesce(sum(missing_school_pupil_count), 0)::integer as missing_school_pupil_count,
    coalesce(sum(missing_grade_count), 0)::integer as missing_grade_count,
    coalesce(sum(missing_grade_pupil_count), 0)::integer as missing_grade_pupil_count,
    coalesce(sum(closed_count), 0)::integer as closed_count,
    coalesce(sum(unregistered_count), 0)::integer as unregistered_count,
    coalesce(sum(unmapped_count), 0)::integer as unmapped_count,
    coalesce(sum(refused_line_count), 0)::integer as refused_line_count,
from traces
where district_code is not null
group by all
