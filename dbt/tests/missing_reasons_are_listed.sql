-- What: a reason of a missing value that expectations/codes/missing_reason.csv does not list.
-- When it matters: the API, the pages and the reports have no words for it and show the bare code.
-- How to resolve: add it to the list, with words in both languages and a symbol.
{{ config(severity='warn') }}
with told as (
    {% for mart in published_marts() -%}
    select '{{ mart }}' as table_name, unnest({{ reasons_of(mart) }}) as reason from {{ ref(mart) }}
    {{ '' if loop.last else 'union all' }}
    {% endfor %}
)

select distinct table_name, reason
from told
where reason not in ('ok', 'scored') and reason not in (select code from {{ source('standards', 'missing_reason') }})
