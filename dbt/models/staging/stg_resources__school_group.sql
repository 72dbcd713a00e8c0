-- one row per group and school
select
    school_group_code,
    school_group_name,
    school_code,
    group_role_code,
from {{ source('chosen', 'clean_resources__school_group') }}
