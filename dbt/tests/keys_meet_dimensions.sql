-- What: a key of a mart (school, area, district, grade, school year, day) that its dimension does not have.
-- When it matters: who joins the dimension loses these rows, and sums are short.
-- How to resolve: `column_name` says which key; mostly a sender uses a code that no register lists.
{% set exempt = {
    'opened_date': 'schools are older than the first school year of the lake',
    'closed_date': 'so are some that ended',
    'successor_school_code': 'as stated, and perhaps in no register: its figures stay where they are',
    'fct_control_total.district_code': 'a bulletin may print units that are no districts of the lake',
    'pub_control_total.district_code': 'the same bulletin',
    'fct_reporting_calendar.district_code': 'a district that owes deliveries may have sent none yet',
    'fct_inbox.district_code': 'such a district stands there as late',
    'shared_since_date': 'facilities are older than the first school year of the lake',
    'fct_inbox.district_code': 'the same district',
    'shared_since_date': 'facilities were opened before the first school year of the lake',
} %}
{{ config(severity='warn') }}
{% for mart in published_marts() %}
-- depends_on: {{ ref(mart) }}
{%- endfor %}
{% for mart in published_marts() %}
{%- for dimension, key, column, condition in keys_of(mart, columns_of_model(mart), exempt) %}
select '{{ mart }}' as table_name, '{{ column }}' as column_name, '{{ dimension }}' as dimension_name, count(*) as row_count
from {{ ref(mart) }} as own
where
    {{ condition }} and own.{{ column }} is not null
    {%- if key == 'grade_key' %} and own.{{ column }} != 'all'{% endif %}
    and own.{{ column }} not in (select {{ key }} from {{ ref(dimension) }})
having count(*) > 0
union all
{%- endfor %}
{%- endfor %}
select null as table_name, null as column_name, null as dimension_name, 0 as row_count where false
