{# The run's two dates; never the clock. #}
{% macro as_of_date() -%} date '{{ var("as_of_date") }}' {%- endmacro %}

{% macro known_at() -%} timestamptz '{{ var("known_at") }}' {%- endmacro %}

{# `2025-2026` of 2025. #}
{% macro school_year_label(year) -%} {{ year }} || '-' || ({{ year }} + 1) {%- endmacro %}

{# The school year that a place opened on this day serves first: it starts on 1 September. #}
{% macro first_school_year(day) -%}
    year({{ day }}) + case when {{ day }} > make_date(year({{ day }}), 9, 1) then 1 else 0 end
{%- endmacro %}

{# Exact quotient of two counts, 0 to 1; null over nothing. #}
{% macro share(part, whole) -%} ({{ part }} / nullif({{ whole }}, 0))::decimal(6, 4) {%- endmacro %}
