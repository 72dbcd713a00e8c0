-- one row per write
select
    write_id,
    district_code,
    scenario_name,
    scenario_levers,
    scenario_note,
    about_release,
    writer_role_code,
    writer_unit_code,
    writer_key,
    written_date,
    written_time,
from {{ source('newest_by_scope', 'clean_portal__saved_scenario') }}
