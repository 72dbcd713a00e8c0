-- one row per district and metric of its newest period: its rank in the city, shared where no difference is
with metrics as (
    select * from {{ ref('dim_metric') }}
    where direction in ('up', 'down') and service in ('fitness', 'balance', 'staff', 'evaluation')
),

readings as (
    select
        found.metric_code,
        found.value_basis,
        found.unit_code,
        found.period,
        found.period_year,
        found.metric_value,
        found.low_value,
        found.high_value,
        metrics.direction,
        round(found.metric_value::double, metrics.decimals) as reading,
        round(coalesce(found.low_value, found.metric_value)::double, metrics.decimals) as low_reading,
        round(coalesce(found.high_value, found.metric_value)::double, metrics.decimals) as high_reading,
    from {{ ref('fct_metric_value') }} as found
    inner join metrics
        on found.metric_code = metrics.metric_code
    where found.unit_level = 'district' and found.is_newest_period and found.metric_value is not null
),

bounded as (
    select
        *,
        {{ comparison_bound('reading', 'low_reading') }} as unit_low,
        {{ comparison_bound('reading', 'high_reading') }} as unit_high,
    from readings
),

ranked as ({{ shared_ranks('bounded', ['metric_code', 'value_basis', 'period_year']) }}
),

districts as (select * from {{ ref('dim_district') }})

select
    ranked.unit_code as district_code,
    districts.district_name_zh,
    ranked.metric_code,
    metrics.metric_zh,
    metrics.metric_en,
    ranked.value_basis,
    ranked.direction,
    ranked.period,
    ranked.metric_value,
    ranked.low_value,
    ranked.high_value,
    ranked.shared_rank,
    ranked.rank_shared_count,
    ranked.ranked_count,
from ranked
inner join metrics
    on ranked.metric_code = metrics.metric_code
left join districts
    on ranked.unit_code = districts.district_code
