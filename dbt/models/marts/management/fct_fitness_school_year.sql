-- one row per school and school year; rates over pupils with a total, participation over both denominators
with rates as (
    select *
    from {{ ref('fct_fitness_rate') }}
    where result_kind = 'upload' and unit_level = 'school' and grade_key = 'all' and sex_code = 'all'
),

rolls as (select * from {{ ref('int_fitness__roll_tested') }}),

schools as (select * from {{ ref('dim_school') }}),

on_roll as (
    select school_code, school_year_start, count(*) filter (where is_scored) as scored_on_roll_count
    from rolls
    group by school_code, school_year_start
)

select
    rates.unit_code as school_code,
    schools.school_name,
    schools.district_code,
    rates.school_year_start,
    rates.school_year,
    -- null where the lake holds no roll of that school: participation is then not known
    rates.on_roll_count,
    rates.submitted_count,
    rates.scored_count,
    coalesce(on_roll.scored_on_roll_count, 0)::integer as scored_on_roll_count,
    rates.exempted_count + rates.deferred_count as exempt_count,
    rates.good_or_excellent_count,
    rates.pass_count,
    rates.unmapped_count,
    rates.good_or_excellent_share,
    rates.pass_share,
    rates.mean_total_score,
    rates.scored_of_roll_share,
    rates.scored_of_submitted_share,
    rates.rate_status,
from rates
left join on_roll
    on
        rates.unit_code = on_roll.school_code
        and rates.school_year_start = on_roll.school_year_start
left join schools
    on rates.unit_code = schools.school_code
