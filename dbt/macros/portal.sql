{# A text of the portal's cards, from expectations/standards/portal/texts.csv; `{}` stands where `format` puts values. #}
{% macro card_text(service, text, language='zh') -%}
    (
        select {{ language }}
        from {{ source('standards', 'portal_text') }}
        where service = '{{ service }}' and text = '{{ text }}'
    )
{%- endmacro %}

{# A text of the inbox, `title` or `ask`, with what the item says of itself in place of `{unit}`, `{days}` and so on. #}
{% macro filled_in(item, text, language) -%}
    {%- set told = {
        'unit': 'unit_' ~ language, 'what': 'what_' ~ language, 'asked': 'asked_' ~ language, 'number': 'number_told',
        'first': 'first_told', 'time': 'time_told', 'days': 'days_overdue', 'due': 'due_date',
    } -%}
    {%- set ns = namespace(sql=item ~ '.' ~ text ~ '_' ~ language) -%}
    {%- for name, column in told.items() -%}
        {%- set ns.sql = "replace(" ~ ns.sql ~ ", '{" ~ name ~ "}', coalesce(" ~ item ~ "." ~ column ~ "::varchar, ''))" -%}
    {%- endfor -%}
    {{ ns.sql }}
{%- endmacro %}
