-- one row per write
select
    write_id,
    district_code,
    about_table,
    about_key,
    about_column,
    about_page,
    about_release,
    correction_text,
    writer_role_code,
    writer_unit_code,
    writer_key,
    written_date,
    written_time,
from {{ source('newest_by_scope', 'clean_portal__correction_request') }}
