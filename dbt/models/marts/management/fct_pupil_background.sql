-- one row per school year, school and stage: pupils on the roll, migrant children and boarders among them
with pupils as (select * from {{ ref('int_enrollment__pupil_year') }}),

forms as (select * from {{ ref('stg_enrollment__pupil_registration') }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

grades as (select * from {{ source('standards', 'grade') }}),

counted as (
    select
        pupils.school_year_start,
        pupils.school_code,
        grades.stage_code,
        count(*)::integer as on_roll_count,
        count(coalesce(pupils.is_migrant_child, forms.is_migrant_child))::integer as migrant_known_count,
        -- the roll's mark; of who has none the one of the form of registration
        (count(*) filter (where coalesce(pupils.is_migrant_child, forms.is_migrant_child)))::integer as migrant_count,
        (
            count(forms.hukou_nature_code) filter (where coalesce(pupils.is_migrant_child, forms.is_migrant_child))
        )::integer as migrant_hukou_known_count,
        (
            count(*) filter (
                where coalesce(pupils.is_migrant_child, forms.is_migrant_child) and forms.hukou_nature_code = '1'
            )
        )::integer as migrant_rural_count,
        count(pupils.attendance_mode_code)::integer as boarder_known_count,
        (count(*) filter (where pupils.attendance_mode_code = '2'))::integer as boarder_count,
        (count(*) filter (where pupils.is_status_unmapped))::integer as unmapped_count,
    from pupils
    left join grades
        on pupils.grade_key = grades.code
    left join forms
        on pupils.pupil_key = forms.pupil_key
    group by pupils.school_year_start, pupils.school_code, grades.stage_code
)

select
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    counted.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    counted.stage_code,
    stages.meaning_zh as stage_zh,
    counted.on_roll_count,
    counted.migrant_known_count,
    counted.migrant_count,
    {{ metric_share('migrant_child_share', 'counted') }} as migrant_share,
    counted.migrant_hukou_known_count,
    counted.migrant_rural_count,
    counted.boarder_known_count,
    counted.boarder_count,
    {{ metric_share('boarder_share', 'counted') }} as boarder_share,
    counted.unmapped_count,
from counted
left join schools
    on counted.school_code = schools.school_code
left join {{ source('standards', 'stage') }} as stages
    on counted.stage_code = stages.code
