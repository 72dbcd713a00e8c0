-- one row per month in which cases were accepted, district and topic
with cases as (select * from {{ ref('stg_evaluation__hotline_case') }}),

counted as (
    select
        date_trunc('month', accepted_date)::date as accepted_month_date,
        district_code,
        hotline_topic_code,
        count(*)::integer as topic_case_count,
        count(closed_case_date)::integer as closed_case_count,
        (count(*) filter (where is_responded and closed_case_date is not null))::integer as responded_count,
        (count(is_responded) filter (where closed_case_date is not null))::integer as responded_known_count,
        (count(*) filter (where is_resolved and closed_case_date is not null))::integer as resolved_count,
        (count(is_resolved) filter (where closed_case_date is not null))::integer as resolved_known_count,
        (count(*) filter (where is_satisfied and closed_case_date is not null))::integer as satisfied_count,
        (count(is_satisfied) filter (where closed_case_date is not null))::integer as satisfied_known_count,
    from cases
    group by all
)

select
    counted.accepted_month_date,
    counted.district_code,
    districts.district_name_zh,
    counted.hotline_topic_code,
    coalesce(topics.meaning_zh, '未识别') as hotline_topic_zh,
    counted.topic_case_count,
    counted.closed_case_count,
    counted.responded_count,
    counted.responded_known_count,
    {{ metric_share('hotline_response_rate', 'counted') }} as responded_share,
    counted.resolved_count,
    counted.resolved_known_count,
    {{ metric_share('hotline_resolution_rate', 'counted') }} as resolved_share,
    counted.satisfied_count,
    counted.satisfied_known_count,
    {{ metric_share('hotline_satisfaction_rate', 'counted') }} as satisfied_share,
from counted
left join {{ ref('int_enrollment__district') }} as districts
    on counted.district_code = districts.district_code
left join {{ source('standards', 'hotline_topic') }} as topics
    on counted.hotline_topic_code = topics.code
