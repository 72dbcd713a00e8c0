{# Units × grades × sexes of the fitness figures: school, district, zone and city, each for one grade and all, one
   sex and both. `more`: further columns of the grain. #}
{% macro fitness_cube(more=[]) -%}
    grouping sets (
        {%- for unit in ['school_code, district_code, zone_code', 'district_code, zone_code', 'zone_code', none] %}
        {%- set last_unit = loop.last %}
        {%- for grade in ['grade_key', none] %}
        {%- set last_grade = loop.last %}
        {%- for sex in ['sex_code', none] %}
        ({{ (['result_kind', 'school_year_start'] + more + [unit, grade, sex]) | select | join(', ') }})
        {{- '' if last_unit and last_grade and loop.last else ',' }}
        {%- endfor %}{% endfor %}{% endfor %}
    )
{%- endmacro %}

{# The cube's columns: level, code, district and zone of the unit (null where it has none), grade and sex or `all`. #}
{% macro fitness_cube_columns() -%}
    result_kind,
    school_year_start,
    case
        when grouping(school_code) = 0 then 'school'
        when grouping(district_code) = 0 then 'district'
        when grouping(zone_code) = 0 then 'zone'
        else 'city'
    end as unit_level,
    case
        when grouping(school_code) = 0 then school_code
        when grouping(district_code) = 0 then district_code
        when grouping(zone_code) = 0 then zone_code
    end as unit_code,
    case when grouping(district_code) = 0 then district_code end as district_code,
    case when grouping(zone_code) = 0 then zone_code end as zone_code,
    case when grouping(grade_key) = 0 then grade_key else 'all' end as grade_key,
    case when grouping(sex_code) = 0 then sex_code else 'all' end as sex_code
{%- endmacro %}

{# Each item's weight in the total, in percent, by edition, grade and sex. #}
{% macro fitness_weights() %}
    select
        standard_version,
        unnest(string_split(grade_codes, '|'))::integer as fitness_grade_code,
        sex_code,
        item_code,
        weight_pct::integer as weight_percent,
    from {{ source('standards', 'fitness_weight') }}
{% endmacro %}

{# The levels of each edition: from which total on, and what counts as a pass and as good. Nothing else says so. #}
{% macro fitness_levels() %}
    select
        standard_version,
        level as fitness_level,
        level_rank::integer as level_rank,
        total_score_ge::decimal(4, 1) as level_from_score,
        level_rank::integer = max(level_rank::integer) over (partition by standard_version) as is_excellent,
        is_good_or_excellent = '1' as is_good_or_excellent,
        is_pass = '1' as is_pass,
    from {{ source('standards', 'fitness_level') }}
{% endmacro %}

{# The day by whose standards a school year's results are judged: the national test is held in autumn. #}
{% macro fitness_day(school_year_start) -%} make_date({{ school_year_start }}, 12, 31) {%- endmacro %}

{# A code that nobody mapped and that decides which table, unit or status a result falls under. #}
{% macro fitness_has_unmapped_code() -%}
    ({{ has_unmapped_code(['sex_code', 'exemption_status']) }} or coalesce(status_reason, '') like '%unknown:%')
{%- endmacro %}

{# Rows of a school whose district nobody mapped are in no district and zone, and those of a sex that nobody mapped are
   neither girls' nor boys': they may belong to each. #}
{% macro fitness_may_belong() -%}
    case
        when unit_level in ('district', 'zone')
            then coalesce(max(unplaced_count) over (partition by result_kind, school_year_start, grade_key, sex_code), 0)
        else 0
    end
    + case
        when sex_code in ('1', '2')
            then coalesce(
                max(sex_unmapped_count) over (
                    partition by result_kind, school_year_start, unit_level, unit_code, grade_key
                ), 0
            )
        else 0
    end
{%- endmacro %}

{# A cell's columns as marts publish them. #}
{% macro fitness_cell(cell) -%}
    {{ cell }}.unit_level,
    {{ cell }}.unit_code,
    {{ cell }}.district_code,
    {{ cell }}.zone_code,
    {{ cell }}.school_year_start,
    {{ school_year_label(cell ~ '.school_year_start') }} as school_year,
    {{ cell }}.grade_key,
    coalesce({{ cell }}.grade_key = 'all', false) as is_grade_total,
    {{ cell }}.sex_code,
    coalesce({{ cell }}.sex_code = 'all', false) as is_sex_total
{%- endmacro %}

{# One cell of the cube on both sides of a join. #}
{% macro on_fitness_cell(left, right) -%}
    {%- for name in ['result_kind', 'school_year_start', 'unit_level', 'unit_code', 'grade_key', 'sex_code'] %}
    {{ left }}.{{ name }} is not distinct from {{ right }}.{{ name }}{{ '' if loop.last else ' and' }}
    {%- endfor %}
{%- endmacro %}

{# Rows of a cube whose unit is known, for what is not in the register has no district and no zone. #}
{% macro fitness_unit_known() -%} (unit_code is null or unit_code <> '?') {%- endmacro %}

{# Wilson's 95 % interval of hits/count, `side` low or high; null where count is 0. #}
{% macro wilson(hits, count, side) -%}
    {%- set n = "nullif(" ~ count ~ ", 0)::double" -%}
    {{ wilson_bound("(" ~ hits ~ " / " ~ n ~ ")", n, side) }}::decimal(6, 4)
{%- endmacro %}

{# The same of a share `p` of `n` independent draws, as a double. #}
{% macro wilson_bound(p, n, side) -%}
    {%- set z = 1.959963984540054 -%}
    (
        ({{ p }} + {{ z * z / 2 }} / {{ n }} {{ '-' if side == 'low' else '+' }}
        {{ z }} * sqrt(greatest({{ p }} * (1 - {{ p }}), 0) / {{ n }} + {{ z * z / 4 }} / ({{ n }} * {{ n }})))
        / (1 + {{ z * z }} / {{ n }})
    )
{%- endmacro %}

{# The city's `mean` and `deviation` for the grade and sex of each cell of the cube, as columns of their own. #}
{% macro fitness_of_city(mean, deviation, more=[]) -%}
    {%- for name, of in [('city_mean', mean), ('city_deviation', deviation)] %}
    max({{ of }}) filter (where unit_level = 'city') over (
        partition by {{ (['result_kind', 'school_year_start', 'grade_key', 'sex_code'] + more) | join(', ') }}
    ) as {{ name }}
    {{- '' if loop.last else ',' }}
    {%- endfor %}
{%- endmacro %}

{# 95 % bound of the mean of values from `least` to `most` in a cell with `city_mean` and `city_deviation` beside it;
   never outside them, null for fewer than two. Wilson's interval of the mean's place between the two, for as many
   yes-or-no draws as say as much as these values. How much they vary is learned from them and, as if by four more
   pupils, from the city, for a few equal values are no proof of certainty. #}
{% macro mean_bound(cell, mean, deviation, count, least, most, side) -%}
    {%- set width = (most - least)|float -%}
    {%- set n = "nullif(" ~ cell ~ "." ~ count ~ ", 0)::double" -%}
    {%- set place = "((" ~ cell ~ "." ~ mean ~ " - (" ~ least ~ ")) / " ~ width ~ ")" -%}
    {%- set city = "((" ~ cell ~ ".city_mean - (" ~ least ~ ")) / " ~ width ~ ")" -%}
    {%- set pooled = "((" ~ n ~ " * " ~ place ~ " + 4 * " ~ city ~ ") / (" ~ n ~ " + 4))" -%}
    {%- set variance -%}
        (((({{ n }} - 1) * power({{ cell }}.{{ deviation }}, 2) + 4 * power({{ cell }}.city_deviation, 2))
        / ({{ n }} + 3)) / {{ width * width }})
    {%- endset -%}
    {%- set draws -%}
        ({{ n }} * greatest(coalesce({{ pooled }} * (1 - {{ pooled }}) / nullif({{ variance }}, 0), 1), 1))
    {%- endset -%}
    (case when {{ cell }}.{{ count }} > 1 then {{ least }} + {{ width }} * {{ wilson_bound(place, draws, side) }} end)
{%- endmacro %}


{# Share in percent of a standard normal below z (Zelen and Severo, Abramowitz–Stegun 26.2.17, error below 1e-7). #}
{% macro normal_percent(z) -%}
    {%- set t = "(1 / (1 + 0.2316419 * abs(" ~ z ~ ")))" -%}
    {%- set tail -%}
        exp(-power({{ z }}, 2) / 2) * 0.3989422804014327 * {{ t }} * (0.319381530 + {{ t }} * (-0.356563782
        + {{ t }} * (1.781477937 + {{ t }} * (-1.821255978 + {{ t }} * 1.330274429))))
    {%- endset -%}
    (100 * case when {{ z }} < 0 then {{ tail }} else 1 - {{ tail }} end)
{%- endmacro %}
