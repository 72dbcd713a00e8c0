-- the marts that reports read, only with the columns they read; 110105 has three schools, 110109 has none
create table dim_district as
select * from (values
    ('110105', '朝阳区', 'central_city', '中心城区'),
    ('110109', '门头沟区', 'ecological_conservation', '生态涵养区')
) as t (district_code, district_name_zh, zone_code, zone_name_zh);

create table dim_school (
    school_code varchar, school_name varchar, district_code varchar, district_name_zh varchar, area_name varchar,
    school_type_zh varchar, ownership_zh varchar, opened_date date, closed_date date, is_open boolean,
    place_count integer, class_count integer
);
create table school_rest as
select '110105', '朝阳区', '一学区', '小学', '公办', '1960-09-01'::date, null::date, true, 500, 12;

create table dim_school_group as
select '110105G01' as school_group_code, '某教育集团' as school_group_name, '110105' as district_code,
    '2110500001' as lead_school_code, '牵头校' as lead_school_name, 2 as school_count, 909 as pupil_count,
    true as is_complete;
create table brg_school_group_member as
select '110105G01' as school_group_code, '某教育集团' as school_group_name, school_code, '' as school_name,
    '110105' as district_code, role as group_role_code
from (values ('2110500001', 'lead'), ('2110500002', 'member')) as t (school_code, role);

create table fct_enrollment_grade as
select '211050000' || s as school_code, '110105' as district_code, y as school_year_start,
    'primary' as stage_code, 'P' || g as grade_key, (s * 100 + g * 7 + (y - 2023) * 3)::integer as pupil_count,
    true as is_district_complete
from range(1, 3) as a (s), range(2023, 2026) as b (y), range(1, 7) as c (g);

create table dim_metric as
select code as metric_code, zh as metric_zh, zh || '的定义' as definition_zh, '分子' as numerator_zh,
    '分母' as denominator_zh, '%' as unit_zh, decimals,
    if(code in ('a_rate', 'b_rate'), 'evaluation', if(code = 'refused_share', 'ops', 'fitness')) as service,
    1 as sort_order, 'clean_some_table' as source_tables, '某文件' as clause,
    note as footnote_zh
from (values
    ('a_rate', '某达标率', 2, null),
    ('b_rate', '另一比例', 2, '另一比例的脚注'),
    ('fitness_good_or_excellent_rate', '体质健康优良率', 1, '免测不在分母中'),
    ('fitness_pass_share', '体质健康及格率', 1, null),
    ('fitness_tested_share', '体质健康测试率', 1, null),
    ('refused_share', '退回率', 3, null)
) as t (code, zh, decimals, note);

create table fct_plan_indicator as
select 'district' as unit_level, '110105' as unit_code, '110105' as district_code, 'plan_14' as plan_code,
    code as indicator_code, n as indicator_no, y as indicator_year, (v + y - 2020)::decimal(12, 4) as indicator_value,
    2020 as base_year, base::decimal(12, 4) as base_value, 2025 as target_year, 90::decimal(12, 4) as target_value,
    (v + y - 2020 - 90)::decimal(12, 4) as gap_to_target, v + y - 2020 >= 90 as is_met,
    base::decimal(12, 4) as path_value, if(y < 2025, v + 5, null)::decimal(12, 4) as forecast_value,
    if(y < 2025, v + 4, null)::decimal(12, 4) as forecast_low_value,
    if(y < 2025, v + 6, null)::decimal(12, 4) as forecast_high_value, if(v > 80, '已达标', '落后进度') as status_zh
from (values ('a_rate', 1, 88.125, 80), ('b_rate', 2, 70, null)) as t (code, n, v, base), range(2021, 2026) as b (y);

-- a cause for most of it; a difference that no report prints; another year
create table fct_plan_difference as
select 'district' as unit_level, '110105' as unit_code, '110105' as district_code, code as indicator_code,
    y as indicator_year, d::decimal(12, 4) as value_difference, 0::decimal(12, 4) as by_date,
    s::decimal(12, 4) as by_scope, 0::decimal(12, 4) as by_missing, 0::decimal(12, 4) as by_codes,
    (d - s)::decimal(12, 4) as unexplained
from (values ('a_rate', 2024, 0.004, 0), ('b_rate', 2024, -3.255, -3), ('a_rate', 2023, 9, 9)) as t (code, y, d, s);

-- one school has few pupils: its rate is told with a flag; another has a grade of few
create table fct_metric_value as
select indicator_code as metric_code, 'reported' as value_basis, unit_level, unit_code, district_code,
    'central_city' as zone_code, 'calendar_year' as period_kind, indicator_year::varchar as period,
    indicator_year as period_year, indicator_value::decimal(18, 6) as metric_value,
    null::decimal(18, 4) as numerator, null::decimal(18, 4) as denominator, null::decimal(18, 6) as low_value,
    null::decimal(18, 6) as high_value, null::varchar as metric_flags, null::varchar as missing_reason
from fct_plan_indicator
union all
select code, 'counted', unit_level, unit_code, '110105', 'central_city', 'school_year', '2024-2025', 2024,
    v + lift, v, pupils, v - 5, v + 5, flag, null
from (values
    ('district', '110105', 1234, 73.45, null),
    ('city', 'total', 9999, 71.11, 'unmapped_code'),
    ('zone', 'central_city', 5000, 72.22, null),
    ('group', '110105G01', 609, 80.01, null),
    ('school', '2110500001', 600, 80.05, null),
    ('school', '2110500002', 9, 55.55, 'small_number')
) as t (unit_level, unit_code, pupils, v, flag),
    (values ('fitness_good_or_excellent_rate', 0), ('fitness_pass_share', 10), ('fitness_tested_share', 12.25))
        as m (code, lift)
union all
select 'refused_share', 'counted', level, unit, '110105', 'central_city', kind, year::varchar, year, v, 1, 800,
    null, null, null, null
from (values
    ('district', '110105', 'date', 2025, 0.125), ('city', 'total', 'date', 2025, 0.25),
    -- of a year to come, such as what is forecast
    ('district', '110105', 'school_year', 2031, 0.5)
) as t (level, unit, kind, year, v);

create table fct_fitness_rate as
select 'upload' as result_kind, unit_level, unit_code, '110105' as district_code, 2024 as school_year_start,
    grade_key, 'all' as sex_code, scored::integer as scored_count,
    share::decimal(6, 4) as good_or_excellent_share, (share + 0.1)::decimal(6, 4) as pass_share,
    81.25::decimal(5, 2) as mean_total_score, 0.7::decimal(6, 4) as target_share, status as rate_status
from (values
    ('city', 'total', 'all', 9999, 0.7111, 'ok'),
    ('school', '2110500001', 'P1', 593, 0.8123, 'ok'),
    ('school', '2110500001', 'P2', 7, 0.4444, 'few_pupils')
) as t (unit_level, unit_code, grade_key, scored, share, status);

create table fct_places_gap as
select 'district' as unit_level, '110105' as unit_code, '110105' as district_code, 'primary' as stage_code,
    2025 + lead as school_year_start, lead as lead_years, (1000 + lead * 40)::decimal(12, 1) as forecast_count,
    (950 + lead * 30)::decimal(12, 1) as lower_80_count, (1050 + lead * 50)::decimal(12, 1) as upper_80_count,
    1100::decimal(12, 1) as supply_count, (100 - lead * 40)::decimal(12, 1) as surplus_count,
    (lead / 10)::decimal(6, 4) as shortage_probability, if(lead > 2, 'yellow', null) as warning_level,
    if(lead > 2, 'shortage', null) as warning_direction, 0 as unmapped_count
from range(1, 6) as t (lead);
create table fct_school_outlook as
select '2110500001' as school_code, '110105' as district_code, 2025 + lead as school_year_start,
    lead as lead_years, (400 + lead)::decimal(12, 1) as forecast_count, 390::decimal(12, 1) as lower_80_count,
    420::decimal(12, 1) as upper_80_count, 500::decimal(12, 1) as supply_count,
    (100 - lead)::decimal(12, 1) as surplus_count
from range(1, 4) as t (lead);

create table fct_safety_hazard as
select 'H' || n as hazard_code, '110105' as district_code, '2024-10-01'::date + n::integer as found_date,
    '消防安全' as hazard_category_zh, '一般' as hazard_grade_zh, '2024-12-01'::date as hazard_due_date,
    if(n > 3, '2025-01-01'::date, null) as hazard_done_date, n <= 3 as is_hazard_open, n <= 2 as is_hazard_overdue
from range(1, 12) as t (n);
create table fct_safety_incident_month as
select '110105' as district_code, '2025-03-01'::date as month_start_date, '校园伤害' as incident_type_zh,
    4 as incident_count, 5 as injured_count, 1 as serious_incident_count;
create table fct_safety_campus_status as
select '110105' as district_code, '211050000' || n as school_code, n = 1 as is_safe_campus_met, 0 as unmapped_count
from range(1, 3) as t (n);
create table rpt_services__school_safety as
select '110105' as district_code, '2110500001' as school_code, true as is_safe_campus_met, 12 as criterion_count,
    12 as met_criterion_count, null::varchar as failed_criteria_zh, 3 as open_hazard_count,
    2 as overdue_hazard_count, '2025-11-01'::date as newest_drill_date;
create table fct_feed_quality as
select 'enrollment' as feed, 'grade_return' as dataset, '110105' as sender_code, '110105' as district_code,
    3 as file_count, 1 as held_file_count, 0 as refused_file_count, 990::bigint as accepted_row_count,
    5::bigint as flagged_row_count, 10::bigint as refused_row_count;

-- quality balance is judged for the newest school year alone: a district that fails by one rule of the resources
create table fct_balance_verdict as
select '110105' as district_code, 2025 as school_year_start, standard, verdict, gate as first_failed_gate,
    code as first_failed_rule, state as first_failed_state, met as met_count, not_met as not_met_count,
    unknown as not_collected_count, 2 as not_applicable_count
from (values
    ('quality_balance_2017', 'fail', 'resource', 'R2_cv', 'not_met', 31, 1, 4),
    ('basic_balance_2012', 'pass', null, null, null, 2, 0, 0)
) as t (standard, verdict, gate, code, state, met, not_met, unknown);
create table fct_balance_rule as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start, gate,
    n as gate_number, n as rule_number, code as rule_code, stage as stage_code, state,
    v::decimal(18, 4) as value, limit_::decimal(14, 4) as threshold, reason
from (values
    ('resource', 2, 'R2_cv', 'junior', 'not_met', 0.45049, 0.45, 'beyond_limit'),
    ('resource', 2, 'R1_cv', 'junior', 'met', 0.1, 0.45, null),
    ('government', 3, 'G5b', 'junior', 'not_collected', null, null, 'schools:2'),
    ('quality', 4, 'Q8', null, 'not_met', null, null, 'answered_no'),
    ('veto', 6, 'V1', null, 'not_collected', null, null, 'not_collected')
) as t (gate, n, code, stage, state, v, limit_, reason);
create table pub_balance_gate as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start, gate,
    n as gate_number, state
from (values ('eligibility', 1, 'met'), ('resource', 2, 'not_met'), ('veto', 6, 'not_collected'))
    as t (gate, n, state);
create table fct_balance_coefficient as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start, stage as stage_code,
    'R2' as indicator_code, 1.234::decimal(18, 4) as indicator_mean, cv::decimal(10, 6) as coefficient_of_variation,
    0.45::decimal(6, 4) as coefficient_limit, schools as school_count, 1 as below_count, verdict
from (values ('primary', null, 1, 'not_applicable'), ('junior', 0.450490, 5, 'fail')) as t (stage, cv, schools, verdict);
create table fct_balance_school as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start, '2110500001' as school_code,
    '某小学' as school_name, 'primary' as stage_code, 321 as pupil_count, 6 as met_count,
    0.8649::decimal(14, 4) as lowest_share_of_threshold, 'pass' as verdict;
create table fct_balance_school_indicator as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start,
    '2110500001' as school_code, 'primary' as stage_code, 'R' || n as indicator_code,
    (n * 1.115)::decimal(12, 4) as indicator_value, 4.2::decimal(14, 4) as threshold, n > 3 as is_met,
    (n * 1.115 / 4.2)::decimal(14, 4) as share_of_threshold
from range(1, 8) as t (n);
create table fct_similar_set as
select school_code, '110105' as district_code, 'primary' as stage_code, n as set_size, 40 as candidate_count,
    false as is_whole_stage
from (values ('2110500001', 30), ('2110500002', 0)) as t (school_code, n);
create table fct_similar_school as
select '2110500001' as school_code, '110105' as district_code, 'primary' as stage_code, n as similar_order,
    '同类第' || n || '校' as comparator_school_name
from range(1, 31) as t (n);
create table fct_supervision_ladder as
select '110105' as district_code, 'a_rate' as supervised_metric_code, '某达标率' as supervised_metric_zh, 'remind'
    as supervision_step_code, '提醒' as supervision_step_zh, 2 as step_number, '2025-03-01'::date as step_since_date,
    264 as days_on_step, '连续两年低于应达值' as reason_zh, '2026-03-01 起通报' as next_step_zh;
create table fct_school_position as
select code as school_code, '110105' as district_code, 'primary' as stage_code, m as metric_code, '2024-2025' as period,
    v::decimal(18, 6) as metric_value, 66.625::decimal(18, 6) as set_median_value, said as position_zh,
    null::varchar as missing_reason
from (values
    ('2110500001', 'fitness_good_or_excellent_rate', 80.05, '高于 86 % 的同类学校'),
    ('2110500002', 'fitness_good_or_excellent_rate', 55.55, '低于 90 % 的同类学校')
) as t (code, m, v, said);
create table fct_balance_change as
select 'quality_balance_2017' as standard, '110105' as district_code, 2025 as school_year_start,
    'primary' as stage_code, code as school_code, '某小学' as school_name, kind as change_kind, res as resource,
    n::decimal(18, 4) as amount, other as other_school_code, cost::decimal(16, 2) as cost_yuan,
    150000::decimal(16, 2) as group_cost_yuan, 149000::decimal(16, 2) as least_cost_yuan,
    null::varchar as missing_reason
from (values
    ('2110500001', 'receive', 'backbone_teachers', 1, '2110500002', 0),
    ('2110500001', 'add', 'sports_area_m2', 100.5, null, 150000),
    ('2110500002', 'give', 'backbone_teachers', 1, '2110500001', 0)
) as t (code, kind, res, n, other, cost);
