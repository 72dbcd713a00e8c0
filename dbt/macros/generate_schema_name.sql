{# Steps stand in schema `staging`, marts in `main`: no prefix of the target, for each build has a file of its own. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
