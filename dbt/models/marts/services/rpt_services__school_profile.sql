-- one row per open school: what a family asks first
with schools as (select * from {{ ref('dim_school') }} where is_open),

pupils as (
    select school_code, school_year_start, sum(pupil_count) as pupil_count
    from {{ ref('fct_enrollment_grade') }}
    where is_newest_school_year
    group by school_code, school_year_start
),

outlook as (select * from {{ ref('fct_school_outlook') }} where lead_years = 1),

fitness as (
    select *
    from {{ ref('fct_fitness_school_year') }}
    where scored_count > 0
    qualify row_number() over (partition by school_code order by school_year_start desc) = 1
),

-- a school in two groups shows the one that it leads, else the first by code
school_groups as (
    select school_code, school_group_code, school_group_name, group_role_code
    from {{ ref('brg_school_group_member') }}
    qualify
        row_number() over (partition by school_code order by group_role_code = 'lead' desc, school_group_code) = 1
)

select
    schools.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    schools.area_name,
    schools.school_type_zh,
    schools.ownership_zh,
    school_groups.school_group_name,
    schools.opened_date,
    schools.existing_place_count,
    schools.class_count,
    pupils.school_year_start as pupil_school_year_start,
    pupils.pupil_count::integer as pupil_count,
    outlook.school_year_start as forecast_school_year_start,
    outlook.forecast_count,
    outlook.lower_80_count,
    outlook.upper_80_count,
    fitness.school_year_start as fitness_school_year_start,
    -- of a handful of pupils a rate would speak about each
    case when fitness.scored_count >= {{ var('small_cell') }} then fitness.good_or_excellent_share end
        as good_or_excellent_share,
    fitness.rate_status,
from (select *, place_count as existing_place_count from schools) as schools
left join pupils
    on schools.school_code = pupils.school_code
left join outlook
    on schools.school_code = outlook.school_code
left join fitness
    on schools.school_code = fitness.school_code
left join school_groups
    on schools.school_code = school_groups.school_code
