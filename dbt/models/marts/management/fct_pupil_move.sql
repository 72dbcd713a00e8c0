-- one row per school year, kind of move, school, other school and grade: pupils on the roll a year before and now
with held as (
    -- of each office the first roll of a school year that the lake holds
    select * from {{ ref('stg_enrollment__pupil_roll') }}
    qualify term = min(term) over (partition by sender_code, school_year_start)
),

grades as (
    select
        code as grade_key,
        stage_code,
        ladder_year::integer as place,
        min(ladder_year::integer) over (partition by stage_code) as first_place,
        max(ladder_year::integer) over (partition by stage_code) as last_place,
    from {{ source('standards', 'grade') }}
),

schools as (select * from {{ ref('int_enrollment__school') }}),

-- a pupil on leave is on the roll; one who has left is not
rolls as (
    select
        held.pupil_key,
        held.school_year_start,
        held.school_code,
        held.sender_code,
        held.stated_on,
        held.grade_key,
        grades.stage_code,
        grades.place = grades.first_place as is_first_grade,
        grades.place = grades.last_place as is_last_grade,
        grades.place,
    from held
    left join grades
        on held.grade_key = grades.grade_key
    where held.pupil_status_code not in ('3', '4', '5', '6') or held.pupil_status_code is null
    -- on the rolls of two offices, of which one holds spring alone: where the pupil was first
    qualify held.term = min(held.term) over (partition by held.pupil_key, held.school_year_start)
),

years as (select distinct school_year_start from held),

offices as (
    select sender_code, school_year_start, min(stated_on) as stated_on
    from held
    group by sender_code, school_year_start
),

school_years as (select distinct school_code, school_year_start from held),

-- in the same school, or in one that went on with it by then
compared as (
    select
        old.pupil_key,
        new.school_year_start,
        old.school_code as before_school_code,
        new.school_code as now_school_code,
        old.grade_key as move_grade_key,
        case
            when new.stage_code != old.stage_code and new.place > old.place then 'moved_up'
            when new.school_code = old.school_code or continued.school_code is not null then 'stayed'
            else 'changed'
        end as move_kind_code,
    from rolls as old
    inner join rolls as new
        on old.pupil_key = new.pupil_key and old.school_year_start + 1 = new.school_year_start
    left join {{ ref('int_enrollment__school_continued') }} as continued
        on
            old.school_code = continued.school_code
            and new.school_code = continued.continued_school_code
            and new.stated_on >= continued.change_date
    -- on two rolls at once: who is found in the school of the year before has not changed it
    qualify
        row_number() over (
            partition by old.pupil_key, new.school_year_start
            order by
                move_kind_code = 'changed', new.school_code = old.school_code desc,
                old.school_code, new.school_code, old.grade_key, new.grade_key
        ) = 1
),

-- why a pupil went, as the school last stated it
stated as (
    select
        changes.pupil_key,
        changes.roll_change_kind_code,
        changes.change_date,
        schools.school_code is not null as is_to_own_school,
    from {{ ref('stg_enrollment__roll_change') }} as changes
    left join schools
        on changes.counterpart_school_code = schools.school_code
    where changes.roll_change_kind_code in ('transfer_out', 'withdraw')
),

gone as (
    select
        old.pupil_key,
        old.school_year_start + 1 as school_year_start,
        old.school_code as before_school_code,
        null::varchar as now_school_code,
        old.grade_key as move_grade_key,
        case
            when offices.sender_code is null and school_years.school_code is null then 'not_held'
            when stated.roll_change_kind_code = 'withdraw' then 'withdrawn'
            when stated.roll_change_kind_code = 'transfer_out' and not stated.is_to_own_school then 'left'
            when old.is_last_grade then 'graduated'
            else 'lost'
        end as move_kind_code,
    from rolls as old
    inner join years
        on old.school_year_start + 1 = years.school_year_start
    left join offices
        on old.sender_code = offices.sender_code and old.school_year_start + 1 = offices.school_year_start
    left join school_years
        on
            old.school_code = school_years.school_code
            and old.school_year_start + 1 = school_years.school_year_start
    left join stated
        on
            old.pupil_key = stated.pupil_key
            and stated.change_date >= {{ school_year_begins('old.school_year_start') }}
            and stated.change_date
            <= coalesce(offices.stated_on, {{ school_year_begins('old.school_year_start + 1') }})
    where
        not exists (
            select 1 from compared
            where
                compared.pupil_key = old.pupil_key
                and compared.school_year_start = old.school_year_start + 1
        )
    qualify
        row_number() over (
            partition by old.pupil_key, old.school_year_start
            order by stated.change_date desc nulls last, stated.roll_change_kind_code, old.school_code, old.grade_key
        ) = 1
),

come as (
    select
        new.pupil_key,
        new.school_year_start,
        null::varchar as before_school_code,
        new.school_code as now_school_code,
        new.grade_key as move_grade_key,
        case
            when offices.sender_code is null and school_years.school_code is null then 'not_held'
            when new.is_first_grade then 'entered'
            else 'arrived'
        end as move_kind_code,
    from rolls as new
    inner join years
        on new.school_year_start - 1 = years.school_year_start
    left join offices
        on new.sender_code = offices.sender_code and new.school_year_start - 1 = offices.school_year_start
    left join school_years
        on
            new.school_code = school_years.school_code
            and new.school_year_start - 1 = school_years.school_year_start
    where
        not exists (
            select 1 from compared
            where compared.pupil_key = new.pupil_key and compared.school_year_start = new.school_year_start
        )
    qualify
        row_number() over (
            partition by new.pupil_key, new.school_year_start order by new.school_code, new.grade_key
        ) = 1
),

moves as (
    select * from compared
    union all by name
    select * from gone
    union all by name
    select * from come
),

-- each pupil once as one of the school before, and once as one of the school now
counted as (
    select
        school_year_start,
        move_kind_code,
        school_code,
        nullif(paired_school_code, school_code) as paired_school_code,
        move_grade_key,
        sum(before_count)::integer as before_count,
        sum(now_count)::integer as now_count,
    from (
        select
            school_year_start, move_kind_code, move_grade_key, 1 as before_count, 0 as now_count,
            before_school_code as school_code, now_school_code as paired_school_code,
        from moves
        union all by name
        select
            school_year_start, move_kind_code, move_grade_key, 0 as before_count, 1 as now_count,
            now_school_code as school_code, before_school_code as paired_school_code,
        from moves
    ) as sides
    where school_code is not null
    group by all
)

select
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    counted.move_kind_code,
    kinds.meaning_zh as move_kind_zh,
    counted.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    counted.paired_school_code,
    others.school_name as paired_school_name,
    others.district_code as paired_district_code,
    others.district_name_zh as paired_district_name_zh,
    grades.stage_code,
    stages.meaning_zh as stage_zh,
    counted.move_grade_key,
    counted.before_count,
    counted.now_count,
from counted
left join schools
    on counted.school_code = schools.school_code
left join schools as others
    on counted.paired_school_code = others.school_code
left join grades
    on counted.move_grade_key = grades.grade_key
left join {{ source('standards', 'move_kind') }} as kinds
    on counted.move_kind_code = kinds.code
left join {{ source('standards', 'stage') }} as stages
    on grades.stage_code = stages.code
