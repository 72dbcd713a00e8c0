-- one row per pupil who ever stood on a roll: the newest roll that names him or her
with rolls as (
    select *
    from {{ ref('stg_enrollment__pupil_roll') }}
    qualify
        row_number() over (
            partition by pupil_key
            -- on two schools' rolls at once: one of them, as in int_enrollment__pupil_year
            order by
                school_year_start desc, term desc, pupil_status_code is distinct from '1',
                school_code, grade_key, class_name
        ) = 1
),

schools as (select * from {{ ref('int_enrollment__school') }}),

sexes as (select * from {{ source('standards', 'sex') }}),

states as (select * from {{ source('standards', 'pupil_status') }})

select
    rolls.pupil_key,
    rolls.sex_code,
    sexes.meaning_zh as sex_zh,
    try_cast(left(rolls.entry_month, 4) as integer) as roll_entry_year,
    rolls.school_year_start,
    rolls.term,
    rolls.school_code,
    schools.district_code,
    rolls.grade_key,
    rolls.pupil_status_code,
    states.meaning_zh as pupil_status_zh,
    rolls.is_migrant_child,
from rolls
left join schools
    on rolls.school_code = schools.school_code
left join sexes
    on rolls.sex_code = sexes.code
left join states
    on rolls.pupil_status_code = states.code
