-- one row per school code and ending (merged, replaced, split, closed): its last day, who goes on, who has its figures
{{ config(materialized='table') }}

with recursive changes as (
    select * from {{ ref('stg_enrollment__school_change') }}
    -- one that is announced has not happened
    where change_date <= {{ as_of_date() }}
),

-- a code that opens after it had ended was given out again, or its school came back
starts as (
    select
        school_code,
        opened_date as started_date,
    from {{ ref('stg_enrollment__school_listed') }}
    where opened_date is not null
    union
    select
        from_school_code as school_code,
        change_date as started_date,
    from changes
    where change_kind_code = 'reopen'
),

known as (
    select school_code from {{ ref('stg_enrollment__school_listed') }}
    union
    select unit_code as school_code from {{ ref('stg_enrollment__grade_count') }}
),

stated as (
    select
        changes.*,
        (
            select count(*) from starts
            where starts.school_code = changes.from_school_code and starts.started_date < changes.change_date
        ) as life_number,
    from changes
    where {{ ends_a_school_code() }}
),

endings as (
    select
        from_school_code as school_code,
        to_school_code as successor_code,
        change_date as closed_date,
    from stated
    qualify
        row_number() over (
            partition by from_school_code, life_number
            order by change_date desc, stated_on desc, delivery_no desc, sender_code, _file_sha256, _line_number
        ) = 1
),

-- the ending that the successor met later, or had met already when it was named
steps as (
    select
        endings.*,
        next_ending.closed_date as next_date,
    from endings
    left join endings as next_ending
        on
            endings.successor_code = next_ending.school_code
            and (
                next_ending.closed_date >= endings.closed_date
                or not exists (
                    select 1 from starts
                    where
                        starts.school_code = next_ending.school_code
                        and starts.started_date between next_ending.closed_date and endings.closed_date
                )
            )
    qualify
        row_number() over (
            partition by endings.school_code, endings.closed_date
            order by next_ending.closed_date >= endings.closed_date, abs(next_ending.closed_date - endings.closed_date)
        ) = 1
),

-- merged into a school that was merged itself; each ending counts once, so codes that name each other do not go round
walk as (
    select
        school_code,
        closed_date,
        successor_code,
        next_date,
        [school_code || ' ' || closed_date] as passed,
        if(successor_code is null, [], [successor_code]) as heirs,
    from steps
    union all
    select
        walk.school_code,
        walk.closed_date,
        steps.successor_code,
        steps.next_date,
        list_append(walk.passed, steps.school_code || ' ' || steps.closed_date) as passed,
        if(steps.successor_code is null, walk.heirs, list_append(walk.heirs, steps.successor_code)) as heirs,
    from walk
    inner join steps
        on walk.successor_code = steps.school_code and walk.next_date = steps.closed_date
    where not list_contains(walk.passed, steps.school_code || ' ' || steps.closed_date)
),

walked as (
    select * from walk
    qualify row_number() over (partition by school_code, closed_date order by len(passed) desc) = 1
),

-- figures stay where nobody is known to have taken them
heirs as (
    select
        walked.school_code,
        walked.closed_date,
        arg_max(heir.school_code, heir.place) as as_now_school_code,
    from walked,
        (select unnest(walked.heirs) as school_code, generate_subscripts(walked.heirs, 1) as place) as heir
    inner join known
        on heir.school_code = known.school_code
    group by walked.school_code, walked.closed_date
)

select
    walked.school_code,
    walked.closed_date,
    coalesce(nullif(walked.heirs[-1], walked.school_code), walked.heirs[1]) as successor_school_code,
    coalesce(heirs.as_now_school_code, walked.school_code) as as_now_school_code,
from walked
left join heirs
    on walked.school_code = heirs.school_code and walked.closed_date = heirs.closed_date
