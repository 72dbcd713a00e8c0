-- one row per school, stage and metric of the school's newest period: where it stands among similar schools
with metrics as (
    select
        *,
        -- a metric of one stage says so in its code; any other compares in the stage with most of the school's pupils
        nullif(regexp_extract(metric_code, '_(kindergarten|primary|junior|senior)$', 1), '') as metric_stage_code,
    from {{ ref('dim_metric') }}
    -- rare events say nothing without an interval: safety is left out, and so is what a school cannot help
    where direction in ('up', 'down') and service in ('fitness', 'balance', 'staff', 'evaluation')
),

-- at the printed decimals: what looks equal is equal
readings as (
    select
        found.metric_code,
        found.unit_code as school_code,
        found.period,
        found.period_year,
        found.metric_value,
        found.low_value,
        found.high_value,
        metrics.metric_stage_code,
        metrics.direction,
        round(found.metric_value::double, metrics.decimals) as reading,
        round(coalesce(found.low_value, found.metric_value)::double, metrics.decimals) as low_reading,
        round(coalesce(found.high_value, found.metric_value)::double, metrics.decimals) as high_reading,
    from {{ ref('fct_metric_value') }} as found
    inner join metrics
        on found.metric_code = metrics.metric_code
    where
        found.unit_level = 'school'
        and found.value_basis = 'counted'
        and found.is_newest_period
        and found.metric_value is not null
),

sets as (
    select
        *,
        row_number() over (
            partition by school_code order by stage_pupil_count desc, stage_code
        ) = 1 as is_main_stage,
    from {{ ref('fct_similar_set') }}
),

asked as (
    select
        readings.*,
        sets.stage_code,
        sets.stage_zh,
        sets.school_name,
        sets.district_code,
        sets.set_size,
        sets.refused_reason,
    from readings
    inner join sets
        on
            readings.school_code = sets.school_code
            and (
                readings.metric_stage_code = sets.stage_code
                or (readings.metric_stage_code is null and sets.is_main_stage)
            )
),

-- the school itself and those of its set that have the metric in the same period
compared as (
    select
        asked.school_code,
        asked.stage_code,
        asked.metric_code,
        asked.direction,
        members.comparator_school_code as unit_code,
        others.reading,
        {{ comparison_bound('others.reading', 'others.low_reading') }} as unit_low,
        {{ comparison_bound('others.reading', 'others.high_reading') }} as unit_high,
        others.reading < asked.reading as is_below,
        others.reading = asked.reading as is_equal,
        (others.reading < asked.low_reading)::integer + (others.reading <= asked.low_reading)::integer as at_low,
        (others.reading < asked.high_reading)::integer + (others.reading <= asked.high_reading)::integer as at_high,
    from asked
    inner join {{ ref('stg_evaluation__similar_school') }} as members
        on asked.school_code = members.school_code and asked.stage_code = members.stage_code
    inner join readings as others
        on
            members.comparator_school_code = others.school_code
            and asked.metric_code = others.metric_code
            and asked.period_year = others.period_year
),

ranked as (
    {{ shared_ranks('(
        select school_code, stage_code, metric_code, direction, unit_code, unit_low, unit_high from compared
        union all
        select
            school_code, stage_code, metric_code, direction, school_code,
            ' ~ comparison_bound('reading', 'low_reading') ~ ', ' ~ comparison_bound('reading', 'high_reading') ~ '
        from asked
    )', ['school_code', 'stage_code', 'metric_code']) }}
),

placed as (
    select
        school_code,
        stage_code,
        metric_code,
        count(*)::integer as compared_count,
        quantile_cont(reading, 0.25) as set_q1_value,
        quantile_cont(reading, 0.5) as set_median_value,
        quantile_cont(reading, 0.75) as set_q3_value,
        -- of equal ones half
        (count(*) filter (where is_below) + 0.5 * count(*) filter (where is_equal)) / count(*) as above,
        sum(at_low) / 2 / count(*) as above_at_low,
        sum(at_high) / 2 / count(*) as above_at_high,
    from compared
    group by school_code, stage_code, metric_code
    -- as many as a set needs
    having count(*) >= 10
),

bounded as (
    select
        *,
        {{ position_bound('above', 'above_at_low', 'compared_count', 'low') }} as above_low,
        {{ position_bound('above', 'above_at_high', 'compared_count', 'high') }} as above_high,
    from placed
),

told as (
    select
        *,
        case when above_low > 0.5 then 'above' when above_high < 0.5 then 'below' else 'alike' end as set_position,
    from bounded
)

select
    asked.school_code,
    asked.school_name,
    asked.district_code,
    asked.stage_code,
    asked.stage_zh,
    asked.metric_code,
    metrics.metric_zh,
    metrics.metric_en,
    asked.direction,
    asked.period,
    asked.metric_value,
    asked.low_value,
    asked.high_value,
    asked.set_size,
    coalesce(told.compared_count, 0) as compared_count,
    told.set_q1_value::decimal(18, 6) as set_q1_value,
    told.set_median_value::decimal(18, 6) as set_median_value,
    told.set_q3_value::decimal(18, 6) as set_q3_value,
    told.above::decimal(6, 4) as above_share,
    told.above_low::decimal(6, 4) as above_low_share,
    told.above_high::decimal(6, 4) as above_high_share,
    told.set_position,
    case when told.compared_count is not null then ranked.shared_rank end as shared_rank,
    case when told.compared_count is not null then ranked.rank_shared_count end as rank_shared_count,
    {%- for language in ['zh', 'en'] %}
    case told.set_position
        when 'above'
            then
                format(
                    {{ evaluation_text('position_above', language) }},
                    round(100 * told.above)::integer,
                    round(100 * told.above_low)::integer,
                    round(100 * told.above_high)::integer
                )
        when 'below'
            then
                format(
                    {{ evaluation_text('position_below', language) }},
                    round(100 * (1 - told.above))::integer,
                    round(100 * (1 - told.above_high))::integer,
                    round(100 * (1 - told.above_low))::integer
                )
        when 'alike' then {{ evaluation_text('position_alike', language) }}
    end as position_{{ language }},
    {%- endfor %}
    case
        when told.compared_count is null then coalesce(asked.refused_reason, 'too_few_values')
    end as missing_reason,
from asked
inner join metrics
    on asked.metric_code = metrics.metric_code
left join told
    on
        asked.school_code = told.school_code
        and asked.stage_code = told.stage_code
        and asked.metric_code = told.metric_code
left join ranked
    on
        asked.school_code = ranked.school_code
        and asked.stage_code = ranked.stage_code
        and asked.metric_code = ranked.metric_code
        and asked.school_code = ranked.unit_code
