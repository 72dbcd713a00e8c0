-- one row per report (first, further, closing) of an incident
select
    incident_code,
    incident_action_code,
    school_code,
    occurred_date,
    reported_date,
    incident_type_code,
    incident_level_code,
    injured_count,
    {{ has_unmapped_code(['incident_type_code', 'incident_level_code']) }} as has_unmapped_code,
    delivery_no,
    _file_sha256,
    _line_number,
from {{ source('newest_by_scope', 'clean_safety__incident') }}
