-- one row per school year, school that sends, school that receives, kind of rotation, subject and backbone level
with rotations as (
    select
        *,
        {{ school_year_of('rotation_start_date') }}::integer as school_year_start,
    from {{ ref('stg_resources__teacher_rotation') }}
    where rotation_start_date <= {{ as_of_date() }}
),

schools as (select * from {{ ref('int_enrollment__school') }}),

counted as (
    select
        school_year_start,
        from_school_code,
        to_school_code,
        rotation_kind_code,
        subject_code,
        backbone_level_code,
        count(*)::integer as rotation_count,
        (
            count(*) filter (where rotation_end_date >= {{ as_of_date() }} or rotation_end_date is null)
        )::integer as running_rotation_count,
    from rotations
    group by all
)

select
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    senders.district_code,
    senders.district_name_zh,
    counted.from_school_code,
    senders.school_name as from_school_name,
    counted.to_school_code,
    receivers.school_name as to_school_name,
    receivers.district_code as to_district_code,
    counted.rotation_kind_code,
    kinds.meaning_zh as rotation_kind_zh,
    counted.subject_code,
    subjects.meaning_zh as subject_zh,
    counted.backbone_level_code,
    backbone_levels.meaning_zh as backbone_level_zh,
    counted.rotation_count,
    counted.running_rotation_count,
from counted
left join schools as senders
    on counted.from_school_code = senders.school_code
left join schools as receivers
    on counted.to_school_code = receivers.school_code
left join {{ source('standards', 'rotation_kind') }} as kinds
    on counted.rotation_kind_code = kinds.code
left join {{ source('standards', 'subject') }} as subjects
    on counted.subject_code = subjects.code
left join {{ source('standards', 'backbone_level') }} as backbone_levels
    on counted.backbone_level_code = backbone_levels.code
