{# The statements in force at (as_of_date, known_at), the same rule as `jobs.lake.history`: of a snapshot the newest
   delivery of each scope, whole; of everything else the newest statement of each key. A withdrawn statement ends its
   key, an older one does not come back; what is not valid on the day falls out last. Delivery kind and key are
   the contract's. Of persons, tokens that were linked count as one `pupil_key`. #}
{% macro in_force(table) %}
    select *
    from {{ statements_of(table) }}
    where recorded_at <= {{ known_at() }}
    qualify
        {{ newest(table) }} = 1
        and not is_withdrawn
        and valid_from <= {{ as_of_date() }}
        and (valid_to is null or valid_to > {{ as_of_date() }})
{% endmacro %}

{% macro newest(table) %}
    {%- set told = declared(table) -%}
    {%- if told.delivery == 'snapshot' -%}
        dense_rank() over (
            partition by scope_key
            order by stated_on desc nulls last, delivery_no desc nulls last, _file_sha256 desc nulls last
        )
    {%- else -%}
        row_number() over (
            partition by {{ told.key | join(', ') }}
            order by
                stated_on desc nulls last,
                delivery_no desc nulls last,
                _file_sha256 desc nulls last,
                _line_number desc nulls last
        )
    {%- endif -%}
{% endmacro %}

{% macro statements_of(table) %}
    {%- if 'pupil_key' in declared(table).key -%}
        (
            select statements.* replace (coalesce(persons.pupil_key, statements.pupil_key) as pupil_key)
            from {{ source('lake', table) }} as statements
            left join {{ ref('int_enrollment__person') }} as persons
                on statements.pupil_key = persons.person_token
        ) as statements
    {%- else -%}
        {{ source('lake', table) }}
    {%- endif -%}
{% endmacro %}
