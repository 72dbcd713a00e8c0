-- one row per coverage, level (district, zone, city) and unit, of the newest period
with metrics as (
    select * from {{ ref('dim_metric') }}
    where
        unit_zh = '%'
        and (
            service = 'resources'
            or metric_code in (
                'smart_campus_coverage', 'green_school_rate', 'safe_campus_rate', 'inclusive_kindergarten_coverage'
            )
        )
),

readings as (
    select
        found.*,
        metrics.metric_zh,
        metrics.metric_en,
        -- the metric's own value: nobody divides its counts again
        (found.metric_value / 100)::decimal(6, 4) as coverage_share,
    from {{ ref('fct_metric_value') }} as found
    inner join metrics
        on found.metric_code = metrics.metric_code
    where
        found.value_basis = 'counted'
        and found.is_newest_period
        and found.unit_level in ('district', 'zone', 'city')
),

compared as (
    select
        *,
        max(coverage_share) filter (where unit_level = 'city') over (partition by metric_code) as city_coverage_share,
    from readings
),

districts as (select * from {{ ref('dim_district') }}),

zones as (select distinct zone_code, zone_name_zh from districts where zone_code is not null)

select
    compared.metric_code,
    compared.metric_zh,
    compared.metric_en,
    compared.unit_level,
    compared.unit_code,
    compared.district_code,
    districts.district_name_zh,
    compared.zone_code,
    zones.zone_name_zh,
    compared.period,
    compared.numerator,
    compared.denominator,
    compared.coverage_share,
    compared.city_coverage_share,
    (compared.coverage_share - compared.city_coverage_share)::decimal(6, 4) as city_gap_share,
    compared.missing_reason,
from compared
left join districts
    on compared.district_code = districts.district_code
left join zones
    on compared.zone_code = zones.zone_code
