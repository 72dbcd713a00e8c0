{# What: a value outside what its definition allows. When it matters: the figure is wrong, not merely unusual.
   How to resolve: numerator and denominator are from different rows. #}
{% test within(model, column_name, low, high) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not between {{ low }} and {{ high }}
{% endtest %}
