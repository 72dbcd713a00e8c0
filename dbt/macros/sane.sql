{# The columns of a model with their `meta`; none while dbt still parses. #}
{% macro columns_of_model(name) %}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == name -%}
            {{- return(node.columns) -}}
        {%- endfor -%}
    {%- endif -%}
    {{- return({}) -}}
{% endmacro %}

{# The columns of a mart that say why a value is missing (`jobs.declare.missing`), as one list. #}
{% macro reasons_of(name) %}
    {%- set found = [] -%}
    {%- for column in columns_of_model(name) -%}
        {%- if column.endswith('missing_reason') or column in ('refused_reason', 'rate_status', 'score_status') -%}
            {%- do found.append('"' ~ column ~ '"') -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return('[' ~ found | join(', ') ~ ']::varchar[]') -}}
{% endmacro %}

{# (column, fault, condition of a row that has it) of the ranges and orders of some columns. #}
{% macro value_faults(columns) %}
    {%- set found = [] -%}
    {%- for name, column in columns.items() -%}
        {%- set meta = column.config.meta -%}
        {%- set least, most = meta.get('between', [none, none]) -%}
        {%- if least is not none -%}
            {%- do found.append((name, 'below ' ~ least, '"' ~ name ~ '" < ' ~ least)) -%}
        {%- endif -%}
        {%- if most is not none -%}
            {%- do found.append((name, 'above ' ~ most, '"' ~ name ~ '" > ' ~ most)) -%}
        {%- endif -%}
        {%- for upper in meta.get('at_most', []) -%}
            {%- do found.append((name, 'above ' ~ upper, '"' ~ name ~ '" > "' ~ upper ~ '"')) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# (column, fault, none) of each column that may not hold one value alone. #}
{% macro silent_columns(columns) %}
    {%- set found = [] -%}
    {%- for name, column in columns.items() if 'may_be_single' not in column.config.meta -%}
        {%- do found.append((name, 'one value or none', none)) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# One row per column and fault with its rows, by one query over the relation. Without a condition: all rows, where
   there are fifty and the column has the same value, or none, in each. #}
{% macro faults_of(relation, name, faults) %}
{%- if not faults %}
select '{{ name }}' as column_name, null::varchar as fault, 0::bigint as row_count where false
{%- else %}
select told.* from (
    select unnest([
        {%- for column, fault, condition in faults %}
        {'column_name': '{{ column }}', 'fault': '{{ fault }}', 'row_count':
            {%- if condition %} count(*) filter (where {{ condition }})
            {%- else %} if(
                count(*) >= 50 and (
                    count("{{ column }}") = 0
                    or (count("{{ column }}") = count(*) and min("{{ column }}") = max("{{ column }}"))
                ), count(*), 0
            )
            {%- endif %}}{{ '' if loop.last else ',' }}
        {%- endfor %}
    ]) as told
    from {{ relation }}
) where told.row_count > 0
{%- endif %}
{% endmacro %}
