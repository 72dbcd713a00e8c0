-- one row per school group and school
with members as (select * from {{ ref('stg_resources__school_group') }}),

schools as (select * from {{ ref('dim_school') }})

select
    members.school_group_code,
    members.school_group_name,
    members.school_code,
    schools.school_name,
    schools.district_code,
    members.group_role_code,
from members
left join schools
    on members.school_code = schools.school_code
