-- one row per level, unit, stage and school year, of the newest vintage
with vintage as ({{ latest_vintage('decision_places__gap') }})

select
    run_id,
    recorded_at,
    level,
    unit_code,
    district_code,
    stage_code,
    school_year_start,
    lead,
    forecast,
    lower_80,
    upper_80,
    existing_place_count,
    planned_place_count,
    expected_place_count,
    surplus,
    surplus_deviation,
    shortage_probability,
    surplus_probability,
    expected_shortage,
    expected_surplus,
    warning_direction,
    warning_level,
from vintage
