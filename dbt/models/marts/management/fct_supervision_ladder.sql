-- one row per district and metric that stands on a step of the ladder today
with standing as (
    select * from {{ ref('stg_evaluation__ladder') }} where supervision_step_code is not null
),

districts as (select * from {{ ref('dim_district') }}),

metrics as (select * from {{ source('standards', 'supervised_metric') }}),

steps as (select * from {{ source('standards', 'supervision_step') }})

select
    standing.district_code,
    districts.district_name_zh,
    standing.supervised_metric_code,
    metrics.meaning_zh as supervised_metric_zh,
    metrics.meaning_en as supervised_metric_en,
    standing.supervision_step_code,
    steps.meaning_zh as supervision_step_zh,
    steps.step_number::integer as step_number,
    standing.step_since_date,
    ({{ as_of_date() }} - standing.step_since_date)::integer as days_on_step,
    standing.condition_state,
    standing.step_cause,
    standing.ladder_rule_code,
    standing.supervision_document_number,
    standing.off_extent,
    standing.off_period,
    standing.off_period_count,
    standing.reason_zh,
    standing.reason_en,
    standing.next_step_code,
    standing.next_step_date,
    standing.next_step_zh,
    standing.next_step_en,
    standing.step_basis,
    standing.step_evidence,
    standing.run_id as decided_by_run_id,
from standing
left join districts
    on standing.district_code = districts.district_code
left join metrics
    on standing.supervised_metric_code = metrics.code
left join steps
    on standing.supervision_step_code = steps.code
