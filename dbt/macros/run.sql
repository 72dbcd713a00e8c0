{# The run's two dates; never the clock. They come from the environment, read only when SQL is made for a build: dbt
   would parse the project anew for each day's variables. Unit tests state theirs as variables. #}
{% macro as_of_date() -%} date '{{ _date_of_run("as_of_date", "EDULAKE_AS_OF_DATE") }}' {%- endmacro %}

{% macro known_at() -%} timestamptz '{{ _date_of_run("known_at", "EDULAKE_KNOWN_AT") }}' {%- endmacro %}

{% macro _date_of_run(name, variable) -%}
    {{ var(name, none) or (env_var(variable) if execute else "2000-01-01") }}
{%- endmacro %}

{# `2025-2026` of 2025. #}
{% macro school_year_label(year) -%} {{ year }} || '-' || ({{ year }} + 1) {%- endmacro %}

{# The year in which the school year of a day began: each starts on 1 September. Nothing else says so. #}
{% macro school_year_of(day) -%}
    (year({{ day }}) - case when {{ day }} < {{ school_year_begins('year(' ~ day ~ ')') }} then 1 else 0 end)
{%- endmacro %}

{# The first day of the school year that begins in a year. #}
{% macro school_year_begins(year) -%} make_date({{ year }}, 9, 1) {%- endmacro %}

{# Of a change of schools: that its old code ends. A new name, another district or a return to teaching ends none, nor
   does a split of which the old school itself goes on. #}
{% macro ends_a_school_code() -%}
    (
        to_school_code != from_school_code
        or (to_school_code is null and coalesce(change_kind_code not in ('rename', 'move', 'reopen'), true))
    )
{%- endmacro %}

{# The half-year that a day lies in: the first term ends with January, the second with the school year. #}
{% macro term_of(day) -%}
    (
        case
            when {{ day }} >= make_date(year({{ day }}), 2, 1) and {{ day }} < {{ school_year_begins('year(' ~ day ~ ')') }}
                then 2
            else 1
        end
    )
{%- endmacro %}

{# The first school year that a place opened on this day serves from its beginning. #}
{% macro first_school_year(day) -%} ({{ school_year_of('(' ~ day ~ ' - 1)') }} + 1) {%- endmacro %}

{# Rows of a dated standard that hold on a day: `valid_from` is the first, `valid_to` the first no longer (null: open).
   `on` may name columns of the query around it; then it stands behind `lateral`. #}
{% macro standard_in_force(name, on) -%}
    (
        select *
        from {{ source('standards', name) }}
        where valid_from::date <= {{ on }} and (valid_to is null or valid_to::date > {{ on }})
    )
{%- endmacro %}

{# Exact quotient of two counts, 0 to 1; null over nothing. #}
{% macro share(part, whole) -%} ({{ part }} / nullif({{ whole }}, 0))::decimal(6, 4) {%- endmacro %}
