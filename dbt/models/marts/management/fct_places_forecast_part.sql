-- one row per level (school, area, district, zone, city), unit, grade and school year that is forecast
with parts as (select * from {{ ref('stg_places__part') }})

select
    parts.level as unit_level,
    parts.unit_code,
    parts.district_code,
    parts.grade_key,
    parts.school_year_start,
    {{ school_year_label('parts.school_year_start') }} as school_year,
    parts.entry_year,
    parts.birth_year,
    parts.birth_count as cohort_birth_count,
    parts.is_birth_known,
    parts.feeder_count,
    parts.entrant_count,
    parts.is_entrant_forecast,
    parts.entry_ratio,
    parts.progression_ratio,
    parts.registration_count,
    parts.housing_count,
    parts.event_count,
    parts.forecast as forecast_count,
    parts.run_id as decided_by_run_id,
from parts
