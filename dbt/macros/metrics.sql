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

{# A metric's share, 0 to 1, at a finer grain than its home has (grade, sex, class, sender): of the declared columns of
   `relation`. The comments tell the guard that nobody divides by hand. #}
{% macro metric_share(metric, relation=none, type='decimal(6, 4)') -%}
    {%- set source = metric_source(metric) -%}
    {%- set of = (relation ~ '.') if relation else '' -%}
    /*metric {{ metric }}*/ ({{ of }}{{ source.numerator }} / nullif({{ of }}{{ source.denominator }}, 0))::{{ type }} /*end*/
{%- endmacro %}

{# The same of a bound, `low` or `high`, of its 95 % interval. #}
{% macro metric_bound(metric, side, relation=none) -%}
    {%- set source = metric_source(metric) -%}
    {%- set of = (relation ~ '.') if relation else '' -%}
    /*bound {{ metric }}*/ {{ wilson(of ~ source.numerator, of ~ source.denominator, side) }} /*end*/
{%- endmacro %}

{# Rows of one source of a metric, by its declaration: one row per level, unit and period. What a model tells as a
   share, 0 to 1, comes into the metric's unit here. #}
{% macro metric_rows(source) -%}
    {%- set period = source.period or ('year(' ~ as_of_date() ~ ')') -%}
    {%- set levels = ['school', 'group', 'district', 'zone', 'city'] -%}
    {%- set level = "'" ~ source.level ~ "'" if source.level in levels else source.level -%}
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
        {{ level }}::varchar as unit_level,
        case when {{ level }} = 'city' then 'city' else {{ source.unit }} end::varchar as unit_code,
        {{ source.district if source.district else 'case when ' ~ level ~ " = 'district' then " ~ source.unit ~ ' end' }}::varchar
            as district_code,
        {{ source.numerator or 'null' }}::decimal(18, 4) as numerator,
        {{ source.denominator or 'null' }}::decimal(18, 4) as denominator,
        {%- for name, column in plain.items() %}
        {{ '(' ~ source.per ~ ' * ' ~ column ~ ')' if (column or '').endswith('_share') else column or 'null' }}::decimal(18, 6)
            as told_{{ name }},
        {%- endfor %}
        {{ source.missing_reason or 'null' }}::varchar as told_reason,
        coalesce({{ source.unmapped or 0 }}, 0)::bigint as unmapped_count,
    from {{ ref(source.model) }}
    where
        {{ level }} in ('{{ source.levels | join("', '") }}')
        and ({{ source.where }})
    {%- else %}
        {%- set told_by = {'school': 'base.school', 'district': 'base.district', 'zone': 'districts.zone_code'} %}
        case
            {%- for level, column in told_by.items() if level in source.levels %}
            when grouping({{ column }}) = 0 then '{{ level }}'
            {%- endfor %}
            when true then 'city'
        end as unit_level,
        case
            {%- for level, column in told_by.items() if level in source.levels %}
            when grouping({{ column }}) = 0 then {{ column }}
            {%- endfor %}
            when true then 'city'
        end as unit_code,
        {{ "case when grouping(base.district) = 0 then base.district end" if 'district' in source.levels else 'null::varchar' }}
            as district_code,
        sum({{ source.numerator }}::double)::decimal(18, 4) as numerator,
        sum({{ source.denominator }}::double)::decimal(18, 4) as denominator,
        null::decimal(18, 6) as told_value,
        null::decimal(18, 6) as told_low,
        null::decimal(18, 6) as told_high,
        null::varchar as told_reason,
        coalesce(sum(({{ source.unmapped or 0 }})::double), 0)::bigint as unmapped_count,
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
