-- one row per landed file whose delivery was not withdrawn
select
    receipt_id,
    feed,
    dataset,
    sender_code,
    received_date,
    delivery_id,
    file_sha256,
    outcome,
    line_count,
    accepted_count,
    flagged_count,
    refused_count,
from {{ source('lake', 'ops__receipt') }}
where
    recorded_at <= {{ known_at() }}
    and delivery_id not in (
        select delivery_id from {{ source('lake', 'ops__withdrawal') }} where recorded_at <= {{ known_at() }}
    )
