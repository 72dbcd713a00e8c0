-- one row per month, school, kind of change on the roll, whether the other school is one of the city, and grade
with changes as (select * from {{ ref('stg_enrollment__roll_change') }} where change_date <= {{ as_of_date() }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

counted as (
    select
        date_trunc('month', changes.change_date)::date as change_month_date,
        {{ school_year_of('changes.change_date') }}::integer as school_year_start,
        changes.school_code,
        changes.roll_change_kind_code,
        case
            when changes.roll_change_kind_code in ('transfer_in', 'transfer_out') then others.school_code is not null
        end as is_within_city,
        changes.grade_key,
        count(*)::integer as roll_change_count,
    from changes
    left join schools as others
        on changes.counterpart_school_code = others.school_code
    group by all
)

select
    counted.change_month_date,
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    counted.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    counted.roll_change_kind_code,
    kinds.meaning_zh as roll_change_kind_zh,
    counted.is_within_city,
    counted.grade_key,
    counted.roll_change_count,
from counted
left join schools
    on counted.school_code = schools.school_code
left join {{ source('standards', 'roll_change_kind') }} as kinds
    on counted.roll_change_kind_code = kinds.code
