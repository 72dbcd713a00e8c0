-- one row per new pupil as the school registers him or her
select
    pupil_key,
    hukou_nature_code,
    is_migrant_child,
from {{ source('newest_by_scope', 'clean_enrollment__pupil_registration') }}
