{# (dimension, its key) that a column of a mart must meet, by the column's name; none for other columns. #}
{% macro dimension_of(column) %}
    {%- set by_ending = {
        'district_code': ('dim_district', 'district_code'),
        'school_code': ('dim_school', 'school_code'),
        'area_key': ('dim_area', 'area_key'),
        'grade_key': ('dim_grade', 'grade_key'),
        'school_year_start': ('dim_school_year', 'school_year_start'),
        '_date': ('dim_date', 'date'),
    } -%}
    {%- for ending, dimension in by_ending.items() if column.endswith(ending) -%}
        {{- return(dimension) -}}
    {%- endfor -%}
    {{- return(none) -}}
{% endmacro %}

{# (dimension, its key, column, condition) of all that a mart with these columns refers to. `exempt`: columns, or
   `mart.column`, that need not meet theirs. #}
{% macro keys_of(mart, columns, exempt) %}
    {%- set found = [] -%}
    {%- for column in columns if column not in exempt and mart ~ '.' ~ column not in exempt -%}
        {%- set dimension = dimension_of(column) -%}
        {%- set is_day = columns[column].data_type == 'date' -%}
        {%- if dimension is not none and dimension[0] != mart and (dimension[0] == 'dim_date') == is_day -%}
            {%- do found.append((dimension[0], dimension[1], column, "true")) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if 'unit_level' in columns and 'unit_code' in columns -%}
        {%- for level, dimension, key in [
            ('school', 'dim_school', 'school_code'),
            ('area', 'dim_area', 'area_key'),
            ('district', 'dim_district', 'district_code'),
        ] -%}
            {#- a school that is still planned goes by its project's code #}
            {%- set planned = " and unit_code not in (select project_code from " ~ ref('fct_capacity_project') ~ ")" -%}
            {%- do found.append((
                dimension, key, 'unit_code', "unit_level = '" ~ level ~ "'" ~ (planned if level == 'school' else '')
            )) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found) -}}
{% endmacro %}
