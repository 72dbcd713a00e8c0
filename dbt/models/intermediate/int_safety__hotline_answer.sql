-- one row per district and calendar year of hotline cases: how callers judged the answers to closed cases
with cases as (select * from {{ ref('stg_evaluation__hotline_case') }} where closed_case_date is not null)

select
    district_code,
    year(accepted_date)::integer as accepted_year,
    {%- for answer in ['responded', 'resolved', 'satisfied'] %}
    (count(*) filter (where is_{{ answer }}))::integer as {{ answer }}_count,
    count(is_{{ answer }})::integer as {{ answer }}_known_count,
    {%- endfor %}
from cases
where district_code is not null
group by district_code, year(accepted_date)
