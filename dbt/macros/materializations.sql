{# Models are made in their place: each build has a file of its own, so nothing stands there that readers use. dbt's
   own way makes them aside and renames them, which takes time and protects nobody here. #}

{% materialization table, adapter='duckdb' %}
    {%- set made = this.incorporate(type='table') -%}
    {%- call statement('main') -%}
        {{ create_table_as(False, made, compiled_code, 'sql') }}
    {%- endcall -%}
    {{ adapter.commit() }}
    {{ return({'relations': [made]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set made = this.incorporate(type='view') -%}
    {%- call statement('main') -%}
        {{ create_view_as(made, sql) }}
    {%- endcall -%}
    {{ adapter.commit() }}
    {{ return({'relations': [made]}) }}
{% endmaterialization %}
