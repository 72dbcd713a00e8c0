-- What: areas, districts or zones of a forecast do not add up to the city, or schools to their districts.
-- When it matters: two pages show two truths.
-- How to resolve: look at the decision job; the hierarchy is reconciled there. A site without districts passes.
with sums as (
    select
        grade_key,
        school_year_start,
        sum(forecast) filter (where level = 'district') as district_sum,
        sum(forecast) filter (where level = 'school') as school_sum,
        sum(forecast) filter (where level = 'area') as area_sum,
        sum(forecast) filter (where level = 'zone') as zone_sum,
        sum(forecast) filter (where level = 'city') as city_sum,
    from {{ ref('stg_places__forecast') }}
    group by all
)

select *
from sums
where
    abs(school_sum - city_sum) > 0
    or abs(area_sum - city_sum) > 0
    or abs(district_sum - city_sum) > 0
    or abs(zone_sum - city_sum) > 0
