-- one row per level, unit, grade and school year, of the newest vintage
with vintage as ({{ latest_vintage('decision_places__part') }})

select
    run_id,
    recorded_at,
    level,
    unit_code,
    district_code,
    grade_key,
    school_year_start,
    entry_year,
    birth_year,
    birth_count,
    is_birth_known,
    entrant_count,
    is_entrant_forecast,
    entry_ratio,
    progression_ratio,
    registration_count,
    event_count,
    forecast,
from vintage
