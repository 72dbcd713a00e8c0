-- one row per balance standard, district, stage and resource indicator
with coefficients as (select * from {{ ref('stg_evaluation__balance_coefficient') }}),

districts as (select * from {{ ref('dim_district') }})

select
    coefficients.standard,
    coefficients.district_code,
    districts.district_name_zh,
    coefficients.school_year_start,
    coefficients.stage_code,
    coefficients.indicator_code,
    coefficients.indicator_mean,
    coefficients.coefficient_of_variation,
    coefficients.coefficient_limit,
    coefficients.school_count,
    coefficients.below_count,
    coefficients.verdict,
    coefficients.missing_reason,
    coefficients.run_id as decided_by_run_id,
from coefficients
left join districts
    on coefficients.district_code = districts.district_code
