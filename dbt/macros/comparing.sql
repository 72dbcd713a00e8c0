{# Where a unit stands among others; docs/decisions/comparing.md says why, and tests/dbt/test_comparing.py simulates. #}

{# One end of the 95 % interval of `share`, the share of `n` similar units that one lies above. Two uncertainties add as
   squares (MOVER): its own value's, by the share `at` the end of its interval, and that of a set of `n` (Wilson). #}
{% macro position_bound(share, at, n, side) -%}
    {%- set of_set = wilson_bound(share, n, side) -%}
    {%- if side == 'low' -%}
    greatest({{ share }} - sqrt(pow({{ share }} - {{ at }}, 2) + pow({{ share }} - {{ of_set }}, 2)), 0)
    {%- else -%}
    least({{ share }} + sqrt(pow({{ at }} - {{ share }}, 2) + pow({{ of_set }} - {{ share }}, 2)), 1)
    {%- endif -%}
{%- endmacro %}

{# One end of the interval by whose overlap two values are told apart: a 95 % interval, shrunk so that two of them of one
   width meet where their difference is just significant at 5 % (Goldstein and Healy 1995). #}
{% macro comparison_bound(value, bound) -%}
    ({{ value }} - ({{ value }} - {{ bound }}) / sqrt(2))
{%- endmacro %}

{# The units of `relation` (`unit_code`, `unit_low`, `unit_high`, `direction` and the columns `by`) with their ranks. Units
   whose intervals overlap share a rank, and so does all that such a chain holds: the finest rule by which units that cannot
   be told apart always share one. The best rank is 1; the next bunch's is behind all before it. #}
{% macro shared_ranks(relation, by) -%}
    {%- set cell = by | join(', ') -%}
    select
        * exclude (reached, bunch, up_to),
        if(direction = 'down', up_to - rank_shared_count + 1, ranked_count - up_to + 1)::integer as shared_rank,
    from (
        select
            *,
            count(*) over (partition by {{ cell }})::integer as ranked_count,
            count(*) over (partition by {{ cell }}, bunch)::integer as rank_shared_count,
            count(*) over (partition by {{ cell }} order by bunch) as up_to,
        from (
            select
                *,
                count(*) filter (where reached is null or unit_low > reached) over (
                    partition by {{ cell }} order by unit_low, unit_high, unit_code
                ) as bunch,
            from (
                select
                    *,
                    max(unit_high) over (
                        partition by {{ cell }}
                        order by unit_low, unit_high, unit_code
                        rows between unbounded preceding and 1 preceding
                    ) as reached,
                from {{ relation }}
            )
        )
    )
{%- endmacro %}

{# A sentence of the evaluation's texts; `{}` stands where `format` puts values. #}
{% macro evaluation_text(text, language='zh') -%}
    (select {{ language }} from {{ source('standards', 'evaluation_text') }} where text = '{{ text }}')
{%- endmacro %}
