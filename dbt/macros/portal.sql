{# A text of the portal's cards, from expectations/standards/portal/texts.csv; `{}` stands where `format` puts values. #}
{% macro card_text(service, text, language='zh') -%}
    (
        select {{ language }}
        from {{ source('standards', 'portal_text') }}
        where service = '{{ service }}' and text = '{{ text }}'
    )
{%- endmacro %}
