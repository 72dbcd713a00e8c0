-- one row per school: its open hazards and incidents of the last year with a code that nobody mapped, if it has any
with hazards as (select * from {{ ref('stg_safety__hazard') }}),

watched as (select * from {{ ref('stg_safety__hazard_watch') }}),

incidents as (select * from {{ ref('int_safety__incident_merged') }}),

unmapped as (
    select hazards.school_code
    from hazards
    -- only open hazards are watched
    inner join watched
        on hazards.school_code = watched.school_code and hazards.hazard_code = watched.hazard_code
    where hazards.has_unmapped_code
    union all
    select school_code
    from incidents
    where
        has_unmapped_code
        and occurred_date > {{ as_of_date() }} - 365 and occurred_date <= {{ as_of_date() }}
)

select school_code, count(*)::integer as unmapped_count
from unmapped
group by school_code
