-- What: pupils, places or places to come of one level do not add up to the level above. When it matters: two pages
-- show two truths. How to resolve: a unit lacks its area, district or zone; look at units_of in the decision job.
with sums as (
    select
        unit_level,
        stage_code,
        school_year_start,
        sum(forecast_count) as forecast_sum,
        sum(existing_place_count) as existing_sum,
        sum(expected_place_count) as expected_sum,
    from {{ ref('fct_places_gap') }}
    group by all
)

select
    parts.*,
    city.forecast_sum as city_forecast,
    city.existing_sum as city_existing,
    city.expected_sum as city_expected,
from sums as parts
inner join sums as city
    on
        city.unit_level = 'city'
        and parts.stage_code = city.stage_code
        and parts.school_year_start = city.school_year_start
where
    parts.existing_sum != city.existing_sum
    or (parts.unit_level != 'school' and abs(parts.expected_sum - city.expected_sum) > 0.001)
    -- an extension that names no school counts from its area on
    or parts.expected_sum > city.expected_sum + 0.001
    -- units without any place have no row, so their pupils are in the levels above alone
    or parts.forecast_sum > city.forecast_sum
