-- one row per school and incident: what its newest report says; an incident closed once is closed
with reports as (select * from {{ ref('stg_safety__incident') }}),

ranked as (
    select
        *,
        row_number() over (
            partition by school_code, incident_code
            order by reported_date desc, delivery_no desc, _file_sha256, _line_number desc
        ) as recency,
    from reports
)

select
    school_code,
    incident_code,
    max(case when recency = 1 then occurred_date end) as occurred_date,
    max(case when recency = 1 then incident_type_code end) as incident_type_code,
    max(case when recency = 1 then incident_level_code end) as incident_level_code,
    max(case when recency = 1 then injured_count end) as injured_count,
    bool_or(recency = 1 and has_unmapped_code) as has_unmapped_code,
    bool_or(incident_action_code = 'close') as is_closed,
from ranked
group by school_code, incident_code
