-- one row per landed file
select
    receipt_id,
    feed,
    dataset,
    sender_code,
    received_date,
    outcome,
    line_count,
    accepted_count,
    flagged_count,
    refused_count,
from {{ source('lake', 'ops__receipt') }}
where recorded_at <= {{ known_at() }}
