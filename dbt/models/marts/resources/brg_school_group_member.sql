-- one row per school group and school
with members as (
    select *
    from {{ ref('stg_resources__school_group') }}
    -- two districts may list a group that crosses their border: the newer statement stands
    qualify
        row_number() over (
            partition by school_group_code, school_code
            order by stated_on desc, delivery_no desc, sender_code, _file_sha256, _line_number
        ) = 1
),

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
