-- one row per district, metric and change of its place on the ladder, oldest first
with decided as (
    select
        *,
        hash(supervision_step_code, step_since_date, condition_state, step_cause) as place,
        lag(place) over (
            partition by district_code, supervised_metric_code
            order by recorded_at, try_cast(split_part(run_id, '.', -1) as integer), run_id
        ) as last_place,
        try_cast(split_part(run_id, '.', -1) as integer) as run_number,
    from {{ ref('stg_evaluation__ladder_decided') }}
),

-- a run that says the same again changes nothing
changes as (select * from decided where place is distinct from last_place),

districts as (select * from {{ ref('dim_district') }}),

metrics as (select * from {{ source('standards', 'supervised_metric') }}),

steps as (select * from {{ source('standards', 'supervision_step') }})

select
    changes.district_code,
    districts.district_name_zh,
    changes.supervised_metric_code,
    metrics.meaning_zh as supervised_metric_zh,
    row_number() over (
        partition by changes.district_code, changes.supervised_metric_code
        order by changes.recorded_at, changes.run_number, changes.run_id
    )::integer as change_number,
    changes.last_step_code,
    changes.supervision_step_code,
    coalesce(steps.meaning_zh, '解除') as supervision_step_zh,
    changes.step_since_date,
    changes.condition_state,
    changes.step_cause,
    changes.ladder_rule_code,
    changes.action_date,
    changes.supervision_document_number,
    changes.action_reason,
    changes.off_extent,
    changes.off_period,
    changes.reason_zh,
    changes.reason_en,
    changes.run_id as decided_by_run_id,
from changes
left join districts
    on changes.district_code = districts.district_code
left join metrics
    on changes.supervised_metric_code = metrics.code
left join steps
    on changes.supervision_step_code = steps.code
