-- one row per metric, basis (reported, counted), level, unit and period
-- dbt and the pins of a build take what is read from here; a test compares with the declarations
-- depends_on: {{ ref('stg_evaluation__indicator') }}, {{ ref('fct_fitness_rate') }}, {{ ref('fct_fitness_eyesight') }}
-- depends_on: {{ ref('fct_places_forecast') }}, {{ ref('fct_school_outlook') }}
-- depends_on: {{ ref('fct_places_gap') }}, {{ ref('fct_places_forecast_error') }}
-- depends_on: {{ ref('fct_places_plan_progress') }}
-- depends_on: {{ ref('fct_safety_hazard') }}, {{ ref('fct_safety_risk') }}, {{ ref('fct_hotline_clock') }}
-- depends_on: {{ ref('int_safety__hotline_answer') }}, {{ ref('int_enrollment__teacher_stage') }}
-- depends_on: {{ ref('fct_pupil_background') }}
-- depends_on: {{ ref('fct_feed_quality') }}, {{ ref('fct_balance_school_indicator') }}
-- depends_on: {{ ref('fct_balance_coefficient') }}, {{ ref('fct_balance_rule') }}, {{ ref('fct_plan_count') }}
-- depends_on: {{ ref('fct_resource_access') }}, {{ ref('int_resources__school') }}
with districts as (select * from {{ ref('dim_district') }}),

members as (select * from {{ ref('brg_school_group_member') }}),

school_groups as (select * from {{ ref('dim_school_group') }}),

counted as (
    {%- for source in metric_sources() %}
    {{ metric_rows(source) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- never a mean of rates: numerators and denominators of the schools of a group
{%- set summed = 'counted.metric_code, counted.value_basis, counted.per, counted.small_number,
        counted.interval_kind, counted.period_kind, counted.period_year' %}
of_groups as (
    select
        {{ summed }},
        'group' as unit_level,
        members.school_group_code as unit_code,
        any_value(school_groups.district_code) as district_code,
        sum(counted.numerator)::decimal(18, 4) as numerator,
        sum(counted.denominator)::decimal(18, 4) as denominator,
        case when count(counted.numerator) < count(*) then 'school_without_numerator' end as told_reason,
        sum(counted.unmapped_count)::bigint as unmapped_count,
    from counted
    inner join members
        on counted.unit_level = 'school' and counted.unit_code = members.school_code
    inner join school_groups
        on members.school_group_code = school_groups.school_group_code
    where list_contains(counted.sum_to, 'group')
    group by {{ summed }}, members.school_group_code
),

units as (
    select * exclude (sum_to) from counted
    where unit_code is not null
    union all by name
    select *, false as is_told from of_groups
),

judged as (
    select
        units.*,
        case
            when is_told then if(told_value is null, coalesce(told_reason, 'no_value'), null)
            when told_reason is not null then told_reason
            when numerator is null or denominator is null then 'no_numerator'
            when denominator = 0 then 'no_denominator'
            when interval_kind = 'wilson' and {{ is_void('numerator', 'denominator', 'unmapped_count') }}
                then 'unmapped_code'
        end as missing_reason,
    from units
),

valued as (
    select
        *,
        case
            when missing_reason is not null then null
            when is_told then told_value
            else {{ metric_quotient('numerator', 'denominator', 'per') }}
        end as metric_value,
        {%- for side in ['low', 'high'] %}
        case
            when missing_reason is not null then null
            when interval_kind = 'wilson'
                then (per * {{ wilson('numerator', 'denominator', side) }})::decimal(18, 6)
            else told_{{ side }}
        end as {{ side }}_value,
        {%- endfor %}
        concat_ws(
            ' ',
            if(unmapped_count > 0, 'unmapped_code', null),
            if(small_number = 'flag' and denominator < {{ var('small_cell') }}, 'small_number', null)
        ) as metric_flags,
    from judged
)

select
    valued.metric_code,
    valued.value_basis,
    valued.unit_level,
    valued.unit_code,
    valued.district_code,
    case when valued.unit_level = 'zone' then valued.unit_code else districts.zone_code end as zone_code,
    valued.period_kind,
    case valued.period_kind
        when 'school_year' then {{ school_year_label('valued.period_year') }}
        when 'date' then ({{ as_of_date() }})::varchar
        else valued.period_year::varchar
    end as period,
    valued.period_year,
    valued.period_year = max(valued.period_year) over (
        partition by valued.metric_code, valued.value_basis, valued.unit_level, valued.unit_code
    ) as is_newest_period,
    valued.metric_value,
    valued.numerator,
    valued.denominator,
    valued.low_value,
    valued.high_value,
    nullif(valued.metric_flags, '') as metric_flags,
    valued.missing_reason,
from valued
left join districts
    on valued.district_code = districts.district_code
