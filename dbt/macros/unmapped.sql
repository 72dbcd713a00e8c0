{# A code that nobody mapped is null, its flag stands in `flags`, and what was sent in raw alone. Staging asks here for
   the columns that figures above depend on; marts count such rows in `unmapped_count` (docs/decisions/marts.md). #}
{% macro has_unmapped_code(columns) -%}
    coalesce(list_has_any(flags, [
        {%- for column in columns %}'{{ column }}:unmapped_code'{{ '' if loop.last else ', ' }}{% endfor -%}
    ]), false)
{%- endmacro %}

{# Whether a share is void: the rows with unmapped codes could move it by more than its own 95 % interval. #}
{% macro is_void(hits, count, unmapped) -%}
    /*void*/ (
        {{ unmapped }} > 0 and coalesce(
            {{ unmapped }} / ({{ count }} + {{ unmapped }})::double
            > ({{ wilson(hits, count, 'high') }} - {{ wilson(hits, count, 'low') }}) / 2,
            true
        )
    ) /*end*/
{%- endmacro %}

{# What to think of a row's shares of `count` pupils. #}
{% macro rate_status(count, unmapped) -%}
    case
        when {{ count }} = 0 then 'no_result'
        when {{ unmapped }} > 0 then 'unmapped_code'
        when {{ count }} < {{ var('small_cell') }} then 'few_pupils'
        else 'ok'
    end
{%- endmacro %}

{# Whether a row with a code that nobody mapped may belong to a figure: on each column it says the same or nothing. #}
{% macro may_belong(row, figure, columns) -%}
    (
        {%- for column in columns %}
        ({{ row }}.{{ column }} is null or {{ row }}.{{ column }} = {{ figure }}.{{ column }})
        {{- '' if loop.last else ' and' }}
        {%- endfor %}
    )
{%- endmacro %}

{# The same of a unit of any level (school, area, district, zone, city) and a stage; `row` has district and zone. #}
{% macro may_belong_to_unit(row, figure) -%}
    (
        {{ may_belong(row, figure, ['stage_code']) }}
        and (
            {{ figure }}.level = 'city'
            or {{ row }}.district_code is null
            or {{ row }}.district_code = {{ figure }}.district_code
            or ({{ figure }}.level = 'zone' and {{ row }}.zone_code = {{ figure }}.unit_code)
        )
    )
{%- endmacro %}
