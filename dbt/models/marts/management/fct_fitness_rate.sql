-- one row per kind of result, level, unit, school year, grade (or all) and sex (or all)
-- uploads and rechecks are never mixed
with results as (select * from {{ ref('int_fitness__result_unit') }}),

rolls as (select * from {{ ref('int_fitness__roll_tested') }}),

-- the plan's target in force when the school year was tested, not the newest one
targets as (
    select
        years.school_year_start,
        plan.target_value::decimal(6, 4) / 100 as target_share,
        plan.target_operator,
    from (select distinct school_year_start from results) as years
    inner join
        lateral {{ standard_in_force('plan_indicator_target', fitness_day('years.school_year_start')) }} as plan
        on plan.indicator_code = 'fitness_good_or_excellent_rate'
),

counted as (
    select
        {{ fitness_cube_columns() }},
        count(*) as submitted_count,
        count(*) filter (where is_scored) as scored_count,
        count(*) filter (where score_status = 'exempt') as exempted_count,
        count(*) filter (where score_status = 'deferred') as deferred_count,
        count(*) filter (where score_status = 'incomplete') as incomplete_count,
        count(*) filter (where score_status = 'missing') as untested_count,
        count(*) filter (where score_status = 'invalid') as invalid_count,
        count(*) filter (where has_retest) as retest_count,
        count(*) filter (where has_unmapped_code) as unmapped_count,
        count(*) filter (where is_district_unmapped) as unplaced_count,
        count(*) filter (where is_sex_unmapped) as sex_unmapped_count,
        count(*) filter (where is_excellent) as excellent_count,
        count(*) filter (where is_good_or_excellent) as good_or_excellent_count,
        count(*) filter (where is_pass) as pass_count,
        count(national_bmi_class) as bmi_classed_count,
        count(*) filter (where national_bmi_class = 'overweight') as overweight_count,
        count(*) filter (where national_bmi_class = 'obese') as obese_count,
        avg(total_score) as mean_total,
        stddev_samp(total_score) as deviation,
    from results
    group by {{ fitness_cube() }}
),

on_roll as (
    select
        {{ fitness_cube_columns() }},
        count(*) as on_roll_count,
        count(*) filter (where is_status_unmapped) as unmapped_on_roll_count,
        count(*) filter (where is_scored) as scored_on_roll_count,
        count(*) filter (where is_excused) as excused_on_roll_count,
    from rolls
    group by {{ fitness_cube() }}
),

joined as (
    select
        coalesce(counted.result_kind, on_roll.result_kind) as result_kind,
        coalesce(counted.school_year_start, on_roll.school_year_start) as school_year_start,
        coalesce(counted.unit_level, on_roll.unit_level) as unit_level,
        coalesce(counted.unit_code, on_roll.unit_code) as unit_code,
        coalesce(counted.district_code, on_roll.district_code) as district_code,
        coalesce(counted.zone_code, on_roll.zone_code) as zone_code,
        coalesce(counted.grade_key, on_roll.grade_key) as grade_key,
        coalesce(counted.sex_code, on_roll.sex_code) as sex_code,
        on_roll.on_roll_count,
        coalesce(on_roll.unmapped_on_roll_count, 0) as unmapped_on_roll_count,
        on_roll.scored_on_roll_count,
        on_roll.excused_on_roll_count,
        coalesce(counted.submitted_count, 0) as submitted_count,
        coalesce(counted.scored_count, 0) as scored_count,
        coalesce(counted.exempted_count, 0) as exempted_count,
        coalesce(counted.deferred_count, 0) as deferred_count,
        coalesce(counted.incomplete_count, 0) as incomplete_count,
        coalesce(counted.untested_count, 0) as untested_count,
        coalesce(counted.invalid_count, 0) as invalid_count,
        coalesce(counted.retest_count, 0) as retest_count,
        coalesce(counted.unmapped_count, 0) as unmapped_count,
        counted.unplaced_count,
        counted.sex_unmapped_count,
        coalesce(counted.excellent_count, 0) as excellent_count,
        coalesce(counted.good_or_excellent_count, 0) as good_or_excellent_count,
        coalesce(counted.pass_count, 0) as pass_count,
        coalesce(counted.bmi_classed_count, 0) as bmi_classed_count,
        coalesce(counted.overweight_count, 0) as overweight_count,
        coalesce(counted.obese_count, 0) as obese_count,
        counted.mean_total,
        counted.deviation,
    from counted
    full outer join on_roll
        on {{ on_fitness_cell('counted', 'on_roll') }}
),

flagged as (
    select * replace (unmapped_count + {{ fitness_may_belong() }} as unmapped_count) from joined
),

judged as (
    select
        *,
        {{ is_void('good_or_excellent_count', 'scored_count', 'unmapped_count') }} as is_void,
        {{ fitness_of_city('mean_total', 'deviation') }},
    from flagged
)

select
    joined.result_kind,
    {{ fitness_cell('joined') }},
    joined.on_roll_count::integer as on_roll_count,
    joined.submitted_count::integer as submitted_count,
    joined.scored_count::integer as scored_count,
    joined.exempted_count::integer as exempted_count,
    joined.deferred_count::integer as deferred_count,
    joined.incomplete_count::integer as incomplete_count,
    joined.untested_count::integer as untested_count,
    joined.invalid_count::integer as invalid_count,
    joined.retest_count::integer as retest_count,
    joined.unmapped_count::integer as unmapped_count,
    joined.excellent_count::integer as excellent_count,
    joined.good_or_excellent_count::integer as good_or_excellent_count,
    joined.pass_count::integer as pass_count,
    joined.bmi_classed_count::integer as bmi_classed_count,
    joined.overweight_count::integer as overweight_count,
    joined.obese_count::integer as obese_count,
    {% for name, figure in [
        ('good_or_excellent_share', metric_share('fitness_good_or_excellent_rate', 'joined')),
        ('good_or_excellent_low_share', metric_bound('fitness_good_or_excellent_rate', 'low', 'joined')),
        ('good_or_excellent_high_share', metric_bound('fitness_good_or_excellent_rate', 'high', 'joined')),
        ('good_or_excellent_with_exempt_share', share('joined.good_or_excellent_count', '(joined.scored_count + joined.exempted_count)')),
        ('pass_share', metric_share('fitness_pass_share', 'joined')),
        ('pass_low_share', metric_bound('fitness_pass_share', 'low', 'joined')),
        ('pass_high_share', metric_bound('fitness_pass_share', 'high', 'joined')),
        ('pass_with_exempt_share', share('joined.pass_count', '(joined.scored_count + joined.exempted_count)')),
        ('mean_total_score', 'joined.mean_total::decimal(5, 2)'),
        ('mean_total_low_score', mean_bound('joined', 'mean_total', 'deviation', 'scored_count', 0, 120, 'low') ~ '::decimal(6, 2)'),
        ('mean_total_high_score', mean_bound('joined', 'mean_total', 'deviation', 'scored_count', 0, 120, 'high') ~ '::decimal(6, 2)'),
    ] -%}
    case when not joined.is_void then {{ figure }} end as {{ name }},
    {% endfor -%}
    {{ share('joined.scored_on_roll_count', 'joined.on_roll_count') }} as scored_of_roll_share,
    {{ share('joined.scored_on_roll_count', '(joined.on_roll_count - joined.excused_on_roll_count)') }}
        as scored_of_roll_not_excused_share,
    {{ metric_share('fitness_tested_share', 'joined') }} as scored_of_submitted_share,
    {{ share('(joined.exempted_count + joined.deferred_count)', 'joined.submitted_count') }} as excused_share,
    targets.target_share::decimal(6, 4) as target_share,
    case
        when not joined.is_void
            then ({{ metric_share('fitness_good_or_excellent_rate', 'joined') }} - targets.target_share)
    end::decimal(6, 4) as gap_to_target_share,
    case
        when joined.is_void then null
        when targets.target_operator = 'gt'
            then joined.good_or_excellent_count > targets.target_share * nullif(joined.scored_count, 0)
        else joined.good_or_excellent_count >= targets.target_share * nullif(joined.scored_count, 0)
    end as is_met,
    {{ rate_status('joined.scored_count', 'joined.unmapped_count + joined.unmapped_on_roll_count') }} as rate_status,
from judged as joined
left join targets
    on joined.school_year_start = targets.school_year_start
where {{ fitness_unit_known() }}
