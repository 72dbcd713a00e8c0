-- one row per school code that ended, each school that goes on with it, and the day since when
with recursive changes as (
    select distinct from_school_code as school_code, to_school_code as continued_school_code, change_date
    from {{ ref('stg_enrollment__school_change') }}
    where to_school_code is not null and from_school_code != to_school_code
),

-- merged into a school that was later merged itself; a circle of codes ends, for no row comes twice
chain as (
    select school_code, continued_school_code, change_date
    from changes
    union
    select chain.school_code, changes.continued_school_code, changes.change_date
    from chain
    inner join changes
        on chain.continued_school_code = changes.school_code and changes.change_date >= chain.change_date
)

select school_code, continued_school_code, min(change_date) as change_date
from chain
where continued_school_code != school_code
group by school_code, continued_school_code
