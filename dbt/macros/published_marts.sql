{# The tables on the three platforms' lists, in the order of the lists. dbt must know them before it has read any
   `meta`; test_every_published_table_is_listed compares. #}
{% macro published_marts() %}
    {{- return([
        'dim_metric',
        'dim_metric_target',
        'fct_metric_value',
        'fct_plan_indicator',
        'fct_plan_count',
        'fct_plan_difference',
        'fct_similar_set',
        'fct_similar_school',
        'fct_balance_verdict',
        'fct_balance_rule',
        'fct_balance_coefficient',
        'fct_balance_school',
        'fct_balance_school_indicator',
        'fct_supervision_ladder',
        'fct_supervision_ladder_change',
        'fct_balance_change',
        'fct_school_position',
        'fct_district_position',
        'fct_enrollment_grade',
        'fct_places_forecast',
        'fct_places_gap',
        'fct_places_forecast_part',
        'fct_places_registration',
        'fct_places_supply',
        'fct_places_plan_progress',
        'fct_places_forecast_error',
        'fct_fitness_school_year',
        'fct_fitness_rate',
        'fct_fitness_item',
        'fct_fitness_change',
        'fct_fitness_eyesight',
        'fct_fitness_review',
        'fct_fitness_percentile',
        'fct_safety_alert',
        'fct_safety_alert_district',
        'fct_safety_hazard',
        'fct_safety_risk',
        'fct_safety_inspection_plan',
        'fct_safety_campus_status',
        'fct_safety_campus_criterion',
        'fct_hotline_clock',
        'fct_safety_incident_month',
        'fct_control_total',
        'fct_feed_quality',
        'dim_school',
        'dim_district',
        'dim_area',
        'dim_grade',
        'dim_school_year',
        'dim_date',
        'dim_pupil',
        'rpt_services__school_profile',
        'rpt_services__school_safety',
        'fct_school_outlook',
        'fct_fitness_result',
        'rpt_services__fitness_report',
        'pub_enrollment_district_year',
        'pub_fitness_district_year',
        'pub_safety_district_year',
        'pub_places_forecast_city',
        'pub_plan_indicator',
        'pub_control_total',
        'pub_balance_gate',
        'dim_school_group',
        'brg_school_group_member',
        'fct_capacity_project',
    ]) -}}
{% endmacro %}

{# `meta` of a model; empty while dbt still parses. #}
{% macro told_of_model(name) %}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == name -%}
            {{- return(node.config.meta) -}}
        {%- endfor -%}
    {%- endif -%}
    {{- return({}) -}}
{% endmacro %}
