-- one row per balance standard, district and gate; no school and no count of persons
with rules as (select * from {{ ref('fct_balance_rule') }}),

verdicts as (select * from {{ ref('fct_balance_verdict') }}),

gates as (
    select
        standard,
        district_code,
        gate,
        min(gate_number) as gate_number,
        count(*) filter (where state = 'met')::integer as met_count,
        count(*) filter (where state = 'not_met')::integer as not_met_count,
        count(*) filter (where state = 'not_collected')::integer as not_collected_count,
        count(*) filter (where state = 'not_applicable')::integer as not_applicable_count,
    from rules
    group by standard, district_code, gate
)

select
    gates.standard,
    gates.district_code,
    verdicts.district_name_zh,
    verdicts.school_year_start,
    gates.gate,
    gates.gate_number,
    case
        when gates.not_met_count > 0 then 'not_met'
        when gates.not_collected_count > 0 then 'not_collected'
        when gates.met_count > 0 then 'met'
        else 'not_applicable'
    end as state,
    gates.met_count,
    gates.not_met_count,
    gates.not_collected_count,
    gates.not_applicable_count,
    verdicts.verdict,
from gates
inner join verdicts
    on gates.standard = verdicts.standard and gates.district_code = verdicts.district_code
