{# Why a public row may not show these person counts: `k` one of them is 1 to small_cell - 1; `c` it would give back
   a hidden one by subtraction from the group's total; `x` not available; null: show it.

   counts: count columns that are hidden together (a part and the rest of it). group_by: the rows that a published
   total adds up; keep the total's own row in a group of its own. order_by: breaks ties.
   In a group with a hidden row the smallest others are hidden too, until every count's hidden sum reaches
   small_cell: a single row never does. Rows without anybody are shown, and hide nothing. #}
{% macro hidden_reason(counts, group_by, order_by) -%}
    {%- set small = var('small_cell') | int -%}
    {%- set least = 'least(' ~ counts | join(', ') ~ ')' if counts | length > 1 else counts[0] -%}
    {%- set is_small %} ({% for c in counts %}{{ c }} between 1 and {{ small - 1 }}{{ ' or ' if not loop.last }}{% endfor %}) {% endset -%}
    {%- set is_empty %} ({% for c in counts %}{{ c }} = 0{{ ' and ' if not loop.last }}{% endfor %}) {% endset -%}
    {%- set before %}
        over (
            partition by {{ group_by | join(', ') }}
            order by {{ is_empty }}, {{ is_small }} desc, {{ least }}, {{ order_by | join(', ') }}
            rows between unbounded preceding and 1 preceding
        )
    {% endset -%}
    case
        when {% for c in counts %}{{ c }} is null{{ ' or ' if not loop.last }}{% endfor %} then 'x'
        when {{ is_small }} then 'k'
        when {{ is_empty }} then null
        when
            bool_or({{ is_small }}) over (partition by {{ group_by | join(', ') }})
            and (
                {%- for c in counts %}
                coalesce(sum({{ c }}) {{ before }}, 0) < {{ small }}{{ ' or' if not loop.last }}
                {%- endfor %}
            )
            then 'c'
    end
{%- endmacro %}
