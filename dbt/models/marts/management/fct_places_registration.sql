-- one row per level (area, district, city), unit and stage of the autumn that spring registers for; none outside that time
with notes as (select * from {{ ref('stg_places__registration') }})

select
    notes.level as unit_level,
    notes.unit_code,
    notes.district_code,
    notes.stage_code,
    notes.school_year_start,
    {{ school_year_label('notes.school_year_start') }} as school_year,
    notes.through_date,
    notes.registered_count,
    notes.earlier_spring_count,
    notes.usual_share,
    notes.implied_count,
    notes.model_count,
    notes.model_error_share,
    notes.implied_error_share,
    notes.registration_weight,
    notes.registration_count,
    notes.remark as registration_remark,
    notes.run_id as decided_by_run_id,
from notes
