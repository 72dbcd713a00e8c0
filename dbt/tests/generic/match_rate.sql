{# What: too small a share of rows finds its partner in another model. When it matters: figures by the partner's
   columns (district, school) lose those rows. How to resolve: compare the codes of both senders. #}
{% test match_rate(model, column_name, to, field, least, of_rows='true') %}
{{ config(fail_calc='coalesce(sum(row_count - matched_count), 0)') }}

with examined as (
    select count(*) as row_count, count(*) filter (where partner.{{ field }} is not null) as matched_count
    from {{ model }} as own
    left join (select distinct {{ field }} from {{ to }}) as partner  -- a key of the partner, once each
        on own.{{ column_name }} = partner.{{ field }}
    where {{ of_rows }}
)
select row_count, matched_count
from examined
where row_count > 0 and matched_count < {{ least }} * row_count
{% endtest %}
