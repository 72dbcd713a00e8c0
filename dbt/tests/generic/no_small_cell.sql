{# What: a public table shows a count of so few persons that they can be recognised. When it matters: always.
   How to resolve: the model must hide the count, and rates from it, with macro hidden_reason. #}
{% test no_small_cell(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} between 1 and {{ var('small_cell') }} - 1
{% endtest %}
