-- one row per resource, school, day and kind of user, as last stated
select
    resource_code,
    school_code,
    use_date,
    user_kind_code,
    use_count,
    use_min,
    sender_code,
    {{ has_unmapped_code(['user_kind_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_resources__resource_use') }}
