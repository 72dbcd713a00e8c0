-- one row per level (area, district, city), unit and stage of the autumn that the newest spring registered for
select
    run_id,
    recorded_at,
    level,
    unit_code,
    district_code,
    stage_code,
    school_year_start,
    through_date,
    registered_count,
    earlier_spring_count,
    usual_share,
    implied_count,
    model_count,
    model_error_share,
    implied_error_share,
    registration_weight,
    registration_count,
    actual_entrant_count,
    remark,
from {{ source('newest_by_scope', 'decision_places__registration') }}
-- a run after the autumn writes no notes, and the ones of spring are no part of its forecast
where run_id in (select forecast.run_id from {{ source('newest_by_scope', 'decision_places__forecast') }} as forecast)
