-- one row per alert for which a state was stated: the newest one, and since when it is closed
with states as (select * from {{ ref('stg_safety__alert_state') }}),

-- of two states of one day the one written later in the portal is the newer, else the one further on
stepped as (
    select
        alert_id,
        alert_state_code,
        stated_date,
        coalesce(written_time, '') as written_time,
        alert_state_code in ('handled', 'false') as is_closing,
        list_position(['new', 'seen', 'handled', 'false'], alert_state_code) as step,
    from states
),

followed as (
    select
        *,
        bool_or(not is_closing) over (
            partition by alert_id
            order by stated_date, written_time, step
            rows between current row and unbounded following
        ) as is_reopened,
        row_number() over (partition by alert_id order by stated_date desc, written_time desc, step desc) as recency,
    from stepped
)

select
    alert_id,
    max(case when recency = 1 then alert_state_code end) as alert_state_code,
    min(stated_date) as answered_date,
    min(case when is_closing and not is_reopened then stated_date end) as closed_state_date,
from followed
group by alert_id
