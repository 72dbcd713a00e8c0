-- one row per balance standard, district, stage, school and change; none for a district that passes
with changes as (select * from {{ ref('stg_evaluation__balance_change') }}),

names as (select * from {{ ref('dim_school') }}),

districts as (select * from {{ ref('dim_district') }})

select
    changes.standard,
    changes.district_code,
    districts.district_name_zh,
    changes.school_year_start,
    changes.stage_code,
    changes.school_code,
    names.school_name,
    changes.change_kind,
    changes.resource,
    changes.amount,
    changes.other_school_code,
    changes.cost_yuan,
    sum(changes.cost_yuan) over (partition by changes.standard, changes.district_code, changes.stage_code)::decimal(
        16, 2
    ) as group_cost_yuan,
    changes.least_cost_yuan,
    changes.missing_reason,
    changes.run_id as decided_by_run_id,
from changes
left join names
    on changes.school_code = names.school_code
left join districts
    on changes.district_code = districts.district_code
