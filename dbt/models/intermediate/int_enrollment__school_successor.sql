-- one row per school code that ended by a change (merged, replaced, closed): its last day and who goes on in the end
with recursive changes as (
    select from_school_code as school_code, to_school_code as successor_school_code, change_date
    from {{ ref('stg_enrollment__school_change') }}
    -- a new name ends no code; one that is announced has not happened
    where
        from_school_code is distinct from to_school_code
        and change_date <= {{ as_of_date() }}
    qualify
        row_number() over (
            partition by from_school_code
            order by change_date desc, stated_on desc, delivery_no desc, sender_code, _file_sha256, _line_number
        ) = 1
),

-- merged into a school that was later merged itself; two codes that name each other do not go round
chain as (
    select school_code, change_date, successor_school_code, change_date as step_date, 1 as step
    from changes
    union all
    select
        chain.school_code,
        chain.change_date,
        changes.successor_school_code,
        changes.change_date as step_date,
        chain.step + 1 as step,
    from chain
    inner join changes
        on chain.successor_school_code = changes.school_code
    where
        changes.successor_school_code is not null
        and changes.successor_school_code != chain.school_code
        and changes.change_date >= chain.step_date
        and chain.step < 20
)

select school_code, change_date as closed_date, successor_school_code
from chain
qualify row_number() over (partition by school_code order by step desc) = 1
