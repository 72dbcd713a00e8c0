-- one row per level (city, district), unit and school year; districts add up to the city
with rates as (
    select
        unit_level,
        district_code,
        school_year_start,
        school_year,
        scored_count,
        good_or_excellent_count,
        pass_count,
        unmapped_count,
        good_or_excellent_share,
        pass_share,
    from {{ ref('fct_fitness_rate') }}
    where
        result_kind = 'upload' and unit_level in ('city', 'district')
        and grade_key = 'all' and sex_code = 'all' and scored_count > 0
        -- pupils of no known district are in the city's row alone
        and (unit_level = 'city' or district_code is not null)
),

districts as (select * from {{ ref('dim_district') }})

select
    rates.unit_level,
    rates.district_code,
    districts.district_name_zh,
    rates.school_year_start,
    rates.school_year,
    -- small counts and shares are hidden in jobs/publish/protect; a share over many unmapped codes is void
    rates.scored_count,
    null::varchar as scored_count_missing_reason,
    rates.good_or_excellent_count,
    rates.good_or_excellent_share,
    case when rates.good_or_excellent_share is null then 'u' end as good_or_excellent_missing_reason,
    rates.pass_count,
    rates.pass_share,
    case when rates.good_or_excellent_share is null then 'u' end as pass_missing_reason,
    -- that there are some, never how many; a code that any district may lack is one that the city's parts lack
    coalesce(
        rates.unmapped_count > 0
        or (
            rates.unit_level = 'city'
            and bool_or(rates.unmapped_count > 0) over (partition by rates.school_year_start)
        ),
        false
    ) as has_unmapped_code,
from rates
left join districts
    on rates.district_code = districts.district_code
