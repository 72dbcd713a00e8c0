{# Cells of fct_control_total with a verdict, told in words: where, what the lake counts, what is published, why. #}
{% macro control_cells(verdict) %}
select
    cells.*,
    coalesce(cells.district_name_zh || ' ' || cells.district_code, cells.district_code, 'the city 全市')
    || ', ' || cells.stage_zh || ', ' || cells.school_year || ', ' || kinds.meaning_zh || ' ' || kinds.meaning_en
    || ': ours ' || coalesce(cells.our_count::varchar, 'none')
    || ', published ' || coalesce(cells.published_count::varchar, 'none yet')
    || ': ' || reasons.meaning_en
    || coalesce(' (' || {{ school_year_label('cells.matched_school_year_start') }} || ')', '') as told,
from {{ ref('fct_control_total') }} as cells
left join {{ source('standards', 'control_kind') }} as kinds
    on cells.control_kind = kinds.code
left join {{ source('standards', 'control_reason') }} as reasons
    on coalesce(cells.control_reason, 'unexplained') = reasons.code
where cells.control_verdict = '{{ verdict }}'
-- a lost district first, with its largest loss
order by cells.unit_level desc, coalesce(abs(cells.difference_count), 0) desc, cells.district_code, cells.school_year_start
{% endmacro %}
