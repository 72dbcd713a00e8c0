-- one row per act on a scope of the reporting calendar, as known; the newest act of a kind has rank 1
select
    dataset,
    period,
    unit_code,
    sender_code,
    act,
    stated_on,
    until_date,
    stated_by,
    reason,
    (row_number() over (
        partition by dataset, period, unit_code, (case when act = 'except' then coalesce(sender_code, '') end)
        order by recorded_at desc, noted_at desc
    ))::integer as newest_rank,
from {{ source('lake', 'ops__sign_off') }}
where recorded_at <= {{ known_at() }}
