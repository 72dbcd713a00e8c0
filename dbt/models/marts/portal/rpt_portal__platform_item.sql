-- one row per platform and table that it publishes, with the rows that the whole release has
{% set tables = published_marts() -%}
with counted as (
    {%- for table in tables %}
    select '{{ table }}' as table_name, count(*) as row_count from {{ ref(table) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

told as (
    {%- for table in tables %}
    {%- set about = told_of_model(table) %}
    select
        '{{ table }}' as table_name,
        '{{ about.platform }}' as platform,
        '{{ about.title_zh }}' as title_zh,
        $${{ about.title_en }}$$ as title_en,
        '{{ about.grain_zh }}' as grain_zh,
        {{ loop.index }} as place,
        {{ "'学生明细，只在管理员的全量文件中'" if about.pupil_rows else "'公开数据'" if about.public else 'null' }} as note_zh,
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    told.platform,
    (row_number() over (partition by told.platform order by told.place))::integer as sort_order,
    told.title_zh,
    told.title_en,
    told.table_name,
    told.grain_zh,
    counted.row_count,
    told.note_zh::varchar as note_zh,
from told
inner join counted
    on told.table_name = counted.table_name
