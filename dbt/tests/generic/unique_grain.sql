{# What: two rows of one grain (`grain` of the model's meta, or `columns`), or a row without a part of its key.
   When it matters: every sum above would count twice. How to resolve: look at the rows; a join has more than one
   match, or a key of the model is wrong. #}
{% test unique_grain(model, columns=none, may_be_null=[]) %}
{%- set columns = columns or told_of_model(model.identifier).get('grain', []) %}
{%- set broken = ['count(*) > 1'] %}
{%- for column in columns if column not in may_be_null %}{% do broken.append(column ~ ' is null') %}{% endfor %}
select {{ (columns + ['count(*) as row_count']) | join(', ') }}
from {{ model }}
{%- if columns %}
group by {{ columns | join(', ') }}
{%- endif %}
having {{ broken | join(' or ') }}
{% endtest %}
