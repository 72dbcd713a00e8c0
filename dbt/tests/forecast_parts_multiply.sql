-- What: base x entry ratio x progression + registration + housing + events is not the number that it makes up.
-- When it matters: an official who opens a number is told something else.
-- How to resolve: look at jobs/decide/places/parts.py.
select *
from {{ ref('fct_places_forecast_part') }}
where
    abs(
        coalesce(coalesce(cohort_birth_count, feeder_count)::double * entry_ratio * progression_ratio, 0)
        + registration_count + housing_count + event_count - forecast_count
    ) > 0.001
