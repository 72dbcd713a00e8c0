-- one row per school group
with members as (select * from {{ ref('brg_school_group_member') }}),

pupils as (
    select school_code, school_year_start, sum(pupil_count) as pupil_count
    from {{ ref('fct_enrollment_grade') }}
    where is_newest_school_year
    group by school_code, school_year_start
)

select
    members.school_group_code,
    min(members.school_group_name) as school_group_name,
    -- a group belongs to the district of its lead school
    coalesce(
        min(members.district_code) filter (where members.group_role_code = 'lead'), min(members.district_code)
    ) as district_code,
    min(members.school_code) filter (where members.group_role_code = 'lead') as lead_school_code,
    min(members.school_name) filter (where members.group_role_code = 'lead') as lead_school_name,
    count(*)::integer as school_count,
    coalesce(sum(pupils.pupil_count), 0)::integer as pupil_count,
    -- each member counts in its own newest year: one that is late, or was never counted, makes the sum a mixed one
    count(pupils.school_code) = count(*) and min(pupils.school_year_start) = max(pupils.school_year_start)
        as is_complete,
from members
left join pupils
    on members.school_code = pupils.school_code
group by members.school_group_code
