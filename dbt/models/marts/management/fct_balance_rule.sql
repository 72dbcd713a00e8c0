-- one row per balance standard, district, rule and stage
with rules as (select * from {{ ref('stg_evaluation__balance_rule') }}),

districts as (select * from {{ ref('dim_district') }}),

units as (
    select standard, rule_code, any_value(unit) as rule_unit
    from {{ source('standards', 'balance_rule') }}
    group by standard, rule_code
)

select
    rules.standard,
    rules.district_code,
    districts.district_name_zh,
    rules.school_year_start,
    rules.gate,
    rules.gate_number,
    rules.rule_number,
    rules.rule_code,
    rules.stage_code,
    rules.state,
    rules.value,
    rules.reported_value,
    rules.threshold,
    units.rule_unit,
    rules.operator,
    rules.value_source,
    rules.reason,
    rules.run_id as decided_by_run_id,
from rules
left join districts
    on rules.district_code = districts.district_code
left join units
    on rules.standard = units.standard and rules.rule_code = units.rule_code
