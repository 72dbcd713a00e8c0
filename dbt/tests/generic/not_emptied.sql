{# What: the model is empty though what it is made of is not. When it matters: a join or a filter lost everything.
   How to resolve: run the model's steps one by one. A site without that feed has both empty, which is no failure. #}
{% test not_emptied(model, made_of, of_rows='true') %}
select made_of.row_count
from (select count(*) as row_count from {{ made_of }} where {{ of_rows }}) as made_of
where made_of.row_count > 0 and not exists (select 1 from {{ model }})
{% endtest %}
