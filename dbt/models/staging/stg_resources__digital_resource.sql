-- one row per digital resource in a catalogue, as last stated
select
    resource_code,
    resource_title,
    resource_kind_code,
    stage_code,
    grade_key,
    subject_code,
    contributor_code,
    published_date,
    unpublished_date,
    is_open_resource,
    sender_code,
    {{ has_unmapped_code(['resource_kind_code', 'stage_code', 'grade_key', 'subject_code']) }} as has_unmapped_code,
from {{ source('newest_by_scope', 'clean_resources__digital_resource') }}
