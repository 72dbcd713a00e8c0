-- one row per level (district, city), unit, plan indicator and year: the value as decided, with what it was made of
with indicators as (select * from {{ ref('stg_evaluation__indicator') }} where level in ('district', 'city')),

reported as (select * from {{ ref('stg_evaluation__indicator_value') }}),

counted as (
    select
        case when grouping(district_code) = 1 then 'city' else 'district' end as level,
        case when grouping(district_code) = 1 then 'city' else district_code end as unit_code,
        indicator_code,
        indicator_year,
        -- a sum without one of its parts is none
        case when count(numerator) = count(*) then sum(numerator) end::decimal(18, 4) as numerator,
        case when count(denominator) = count(*) then sum(denominator) end::decimal(18, 4) as denominator,
    from reported
    group by grouping sets ((district_code, indicator_code, indicator_year), (indicator_code, indicator_year))
)

select
    indicators.level as unit_level,
    indicators.unit_code,
    indicators.indicator_code,
    indicators.indicator_year,
    indicators.indicator_value,
    counted.numerator,
    counted.denominator,
    indicators.missing_reason,
from indicators
left join counted
    on
        indicators.level = counted.level
        and indicators.unit_code = counted.unit_code
        and indicators.indicator_code = counted.indicator_code
        and indicators.indicator_year = counted.indicator_year
