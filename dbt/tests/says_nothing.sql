-- What: a column of fifty rows or more in which one value stands everywhere, or none, and nothing declares why.
-- When it matters: the column tells readers nothing, mostly because a join or a job lost it.
-- How to resolve: find out who fills it; where one value is right, say why in `expectations/ranges.yaml` (`single`).
-- A site that holds counts alone leaves most columns empty by right, and is not asked.
{{ config(severity='warn', enabled=var('holds_persons')) }}
{% for mart in published_marts() %}
select '{{ mart }}' as table_name, * from (
    {{ faults_of(ref(mart), mart, silent_columns(columns_of_model(mart))) }}
)
{{ '' if loop.last else 'union all' }}
{% endfor %}
