-- one row per level (area, district, city), unit and stage of the autumn that the newest spring registered for
-- once that autumn has come the rows say what the spring would have changed, beside the entrants who came
with notes as (select * from {{ ref('stg_places__registration') }}),

-- children whose stage or district nobody mapped are registered nowhere; an area may have those of its district
children as (
    select own.school_year_start, own.stage_code, own.district_code, zones.zone_code, count(*) as child_count
    from {{ ref('stg_places__school_age_registration') }} as own
    left join {{ ref('dim_district') }} as zones
        on own.district_code = zones.district_code
    where own.has_unmapped_code
    group by own.school_year_start, own.stage_code, own.district_code, zones.zone_code
),

unmapped as (
    select
        notes.level, notes.unit_code, notes.stage_code, notes.school_year_start,
        sum(children.child_count)::integer as unmapped_count,
    from notes
    inner join children
        on notes.school_year_start = children.school_year_start and {{ may_belong_to_unit('children', 'notes') }}
    group by notes.level, notes.unit_code, notes.stage_code, notes.school_year_start
)

select
    notes.level as unit_level,
    notes.unit_code,
    notes.district_code,
    notes.stage_code,
    notes.school_year_start,
    {{ school_year_label('notes.school_year_start') }} as school_year,
    notes.through_date,
    notes.registered_count,
    coalesce(unmapped.unmapped_count, 0) as unmapped_count,
    notes.earlier_spring_count,
    notes.usual_share,
    notes.implied_count,
    notes.model_count,
    notes.model_error_share,
    notes.implied_error_share,
    notes.registration_weight,
    notes.registration_count,
    (notes.model_count + notes.registration_count)::decimal(12, 1) as corrected_count,
    notes.actual_entrant_count,
    notes.remark as registration_remark,
    notes.run_id as decided_by_run_id,
from notes
left join unmapped
    on
        notes.level = unmapped.level
        and notes.unit_code = unmapped.unit_code
        and notes.stage_code = unmapped.stage_code
        and notes.school_year_start = unmapped.school_year_start
