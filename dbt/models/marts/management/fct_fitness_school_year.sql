-- one row per school and school year; rates over pupils with a total, participation over both denominators
with results as (select * from {{ ref('fct_fitness_result') }}),

rolls as (select * from {{ ref('int_enrollment__pupil_year') }}),

schools as (select * from {{ ref('dim_school') }}),

tested as (
    select
        school_code,
        school_year_start,
        count(*) as submitted_count,
        count(*) filter (where is_scored) as scored_count,
        count(*) filter (where score_status in ('exempt', 'deferred')) as exempt_count,
        count(*) filter (where fitness_level in ('优秀', '良好')) as good_or_excellent_count,
        count(*) filter (where fitness_level in ('优秀', '良好', '及格')) as pass_count,
        count(*) filter (where has_unmapped_code) as unmapped_count,
        sum(total_score) filter (where is_scored) as total_score_sum,
        count(*) filter (where is_scored and is_on_roll) as scored_on_roll_count,
    from results
    group by school_code, school_year_start
),

-- Years of which nothing was submitted are not asked about yet; in the others a school without results stands out.
on_roll as (
    select
        school_code,
        school_year_start,
        count(*) as on_roll_count,
        count(*) filter (where is_status_unmapped) as unmapped_on_roll_count,
    from rolls
    where school_year_start in (select school_year_start from tested)
    group by school_code, school_year_start
),

counted as (
    select
        coalesce(tested.school_code, on_roll.school_code) as school_code,
        coalesce(tested.school_year_start, on_roll.school_year_start) as school_year_start,
        -- null where the lake holds no roll of that school: participation is then not known
        on_roll.on_roll_count,
        coalesce(tested.submitted_count, 0) as submitted_count,
        coalesce(tested.scored_count, 0) as scored_count,
        coalesce(tested.scored_on_roll_count, 0) as scored_on_roll_count,
        coalesce(tested.exempt_count, 0) as exempt_count,
        coalesce(tested.good_or_excellent_count, 0) as good_or_excellent_count,
        coalesce(tested.pass_count, 0) as pass_count,
        coalesce(tested.unmapped_count, 0) as unmapped_count,
        coalesce(on_roll.unmapped_on_roll_count, 0) as unmapped_on_roll_count,
        tested.total_score_sum,
    from tested
    full outer join on_roll
        on
            tested.school_code = on_roll.school_code
            and tested.school_year_start = on_roll.school_year_start
),

judged as (
    select *, {{ is_void('good_or_excellent_count', 'scored_count', 'unmapped_count') }} as is_void
    from counted
)

select
    counted.school_code,
    schools.school_name,
    schools.district_code,
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    counted.on_roll_count::integer as on_roll_count,
    counted.submitted_count::integer as submitted_count,
    counted.scored_count::integer as scored_count,
    counted.scored_on_roll_count::integer as scored_on_roll_count,
    counted.exempt_count::integer as exempt_count,
    counted.good_or_excellent_count::integer as good_or_excellent_count,
    counted.pass_count::integer as pass_count,
    counted.unmapped_count::integer as unmapped_count,
    {% for name, figure in [
        ('good_or_excellent_share', share('counted.good_or_excellent_count', 'counted.scored_count')),
        ('pass_share', share('counted.pass_count', 'counted.scored_count')),
        ('mean_total_score', '(counted.total_score_sum / nullif(counted.scored_count, 0))::decimal(5, 2)'),
    ] -%}
    case when not counted.is_void then {{ figure }} end as {{ name }},
    {% endfor -%}
    {{ share('counted.scored_on_roll_count', 'counted.on_roll_count') }} as scored_of_roll_share,
    {{ share('counted.scored_count', 'counted.submitted_count') }} as scored_of_submitted_share,
    {{ rate_status('counted.scored_count', 'counted.unmapped_count + counted.unmapped_on_roll_count') }} as rate_status,
from judged as counted
left join schools
    on counted.school_code = schools.school_code
