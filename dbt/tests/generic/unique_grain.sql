{# What: two rows of one grain, or a row without a part of its key. When it matters: every sum above would count twice.
   How to resolve: look at the rows; a join has more than one match, or a key of the model is wrong. #}
{% test unique_grain(model, columns, may_be_null=[]) %}
{%- set broken = ['count(*) > 1'] %}
{%- for column in columns if column not in may_be_null %}{% do broken.append(column ~ ' is null') %}{% endfor %}
select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having {{ broken | join(' or ') }}
{% endtest %}
