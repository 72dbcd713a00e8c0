{# The one formula of every metric: the quotient of its counts in its unit, to six decimals; null over nothing. #}
{% macro metric_quotient(numerator, denominator, per) -%}
    ({{ per }} * {{ numerator }}::double / nullif({{ denominator }}, 0))::decimal(18, 6)
{%- endmacro %}

{# The declared source of a metric that is counted from a model. #}
{% macro metric_source(metric, basis='counted') %}
    {%- for source in metric_sources() if source.metric == metric and source.basis == basis -%}
        {{- return(source) -}}
    {%- endfor -%}
    {{- exceptions.raise_compiler_error('no metric ' ~ metric ~ ' is declared as ' ~ basis) -}}
{% endmacro %}

{# Rows of one source of a metric, by its declaration: one row per level, unit and period. #}
{% macro metric_rows(source) -%}
    {%- set period = source.period or ('year(' ~ as_of_date() ~ ')') -%}
    {%- set plain = {'value': source.value, 'low': source.low, 'high': source.high} -%}
    select
        '{{ source.metric }}' as metric_code,
        '{{ source.basis }}' as value_basis,
        {{ source.per }} as per,
        '{{ source.small_number }}' as small_number,
        '{{ source.interval }}' as interval_kind,
        {{ 'true' if source.value else 'false' }} as is_told,
        [{% for level in source.sum_to %}'{{ level }}'{{ '' if loop.last else ', ' }}{% endfor %}]::varchar[] as sum_to,
        '{{ source.period_kind }}' as period_kind,
        ({{ period }})::integer as period_year,
    {%- if source.rows == 'units' %}
        {{ source.level }}::varchar as unit_level,
        case when {{ source.level }} = 'city' then 'city' else {{ source.unit }} end::varchar as unit_code,
        {{ source.district if source.district else 'case when ' ~ source.level ~ " = 'district' then " ~ source.unit ~ ' end' }}::varchar
            as district_code,
        {{ source.numerator or 'null' }}::decimal(18, 4) as numerator,
        {{ source.denominator or 'null' }}::decimal(18, 4) as denominator,
        {%- for name, column in plain.items() %}
        {{ column or 'null' }}::decimal(18, 6) as told_{{ name }},
        {%- endfor %}
        {{ source.missing_reason or 'null' }}::varchar as told_reason,
        coalesce({{ source.unmapped or 0 }}, 0)::bigint as unmapped_count,
    from {{ ref(source.model) }}
    where
        {{ source.level }} in ('{{ source.levels | join("', '") }}')
        and ({{ source.where }})
    {%- else %}
        case
            when grouping(base.school) = 0 then 'school'
            when grouping(base.district) = 0 then 'district'
            when grouping(districts.zone_code) = 0 then 'zone'
            else 'city'
        end as unit_level,
        case
            when grouping(base.school) = 0 then base.school
            when grouping(base.district) = 0 then base.district
            when grouping(districts.zone_code) = 0 then districts.zone_code
            else 'city'
        end as unit_code,
        case when grouping(base.district) = 0 then base.district end as district_code,
        sum({{ source.numerator }}::double)::decimal(18, 4) as numerator,
        sum({{ source.denominator }}::double)::decimal(18, 4) as denominator,
        null::decimal(18, 6) as told_value,
        null::decimal(18, 6) as told_low,
        null::decimal(18, 6) as told_high,
        null::varchar as told_reason,
        coalesce(sum({{ source.unmapped or 0 }}), 0)::bigint as unmapped_count,
    from (
        select
            *,
            {{ source.school if 'school' in source.levels else 'null' }}::varchar as school,
            {{ source.district or 'null' }}::varchar as district,
        from {{ ref(source.model) }}
        where {{ source.where }}
    ) as base
    left join districts
        on base.district = districts.district_code
    group by
        {% if source.period %}{{ source.period }}, {% endif -%}
        grouping sets (
            {%- set sets = {
                'school': '(base.school, base.district, districts.zone_code)',
                'district': '(base.district, districts.zone_code)',
                'zone': '(districts.zone_code)',
                'city': '()',
            } -%}
            {%- for level in source.levels %}{{ sets[level] }}{{ '' if loop.last else ', ' }}{% endfor -%}
        )
    {%- endif %}
{%- endmacro %}
