-- one row per level (city, district), unit, stage and coming school year: the public notice of places for entrants
with outlooks as (select * from {{ ref('fct_entry_outlook') }} where unit_level in ('city', 'district')),

districts as (select * from {{ ref('dim_district') }})

select
    outlooks.unit_level,
    districts.district_code,
    districts.district_name_zh,
    outlooks.stage_code,
    outlooks.stage_zh,
    outlooks.school_year_start,
    outlooks.school_year,
    outlooks.lead_years,
    -- a part of a place is none
    floor(outlooks.entry_place_count)::integer as public_entry_place_count,
    round(outlooks.expected_entrant_count)::integer as public_entrant_count,
    -- a forecast of a few would speak about those who are there: jobs/publish/protect
    null::varchar as public_entrant_count_missing_reason,
    outlooks.entry_level,
    outlooks.entry_level_zh,
    coalesce(outlooks.is_birth_known, false) as is_birth_known,
    -- entrants of no known district are in the city's row alone
    coalesce(
        sum(if(outlooks.unit_level = 'city', outlooks.expected_entrant_count, 0)) over unit_year
        <> sum(if(districts.district_code is not null, outlooks.expected_entrant_count, 0)) over unit_year,
        false
    ) as has_unmapped_code,
from outlooks
left join districts
    on outlooks.district_code = districts.district_code
window unit_year as (partition by outlooks.stage_code, outlooks.school_year_start)
qualify outlooks.unit_level = 'city' or districts.district_code is not null
