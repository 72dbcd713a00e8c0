-- one row per school: its open hazards and incidents of the last year with a code that nobody mapped, if it has any
with hazards as (select * from {{ ref('fct_safety_hazard') }}),

incidents as (select * from {{ ref('int_safety__incident_merged') }}),

unmapped as (
    select school_code from hazards
    where has_unmapped_code and is_hazard_open
    union all
    select school_code from incidents
    where
        has_unmapped_code
        and occurred_date > {{ as_of_date() }} - 365 and occurred_date <= {{ as_of_date() }}
)

select school_code, count(*)::integer as unmapped_count
from unmapped
group by school_code
