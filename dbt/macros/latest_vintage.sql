{# The newest run's rows of a decision table, among those known at the moment asked about. A run that found its inputs
   unchanged wrote nothing, so the run before it stands. Two runs of one day share `recorded_at`: the later number wins. #}
{% macro latest_vintage(table) %}
    select *
    from {{ source('lake', table) }}
    where recorded_at <= {{ known_at() }}
    qualify dense_rank() over (order by recorded_at desc, {{ run_number() }} desc, run_id desc) = 1
{% endmacro %}

{# `3` of `2025-11-20.3`; as text, run 10 would come before run 9. #}
{% macro run_number() -%} try_cast(split_part(run_id, '.', -1) as integer) {%- endmacro %}
