{# What: a value outside what its column can hold, or two columns the wrong way round (due before raised, lower above
   upper), by `expectations/ranges.yaml`. When it matters: the figure is nonsense, and a page shows it. How to resolve:
   the row says column and fault; look at the model or the decision job that made it. One query for a whole mart. #}
{% test sane(model) %}
{{ config(fail_calc='coalesce(sum(row_count), 0)') }}
{{ faults_of(model, model.identifier, value_faults(columns_of_model(model.identifier))) }}
{% endtest %}
