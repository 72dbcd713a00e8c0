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

create table fct_plan_indicator as
select 'district' as unit_level, '110105' as district_code, code as indicator_code, n as indicator_no,
    zh as indicator_zh, code as indicator_en, '%' as indicator_unit_zh, y as indicator_year,
    (v + y - 2020)::decimal(12, 4) as indicator_value, base::decimal(12, 4) as base_value,
    90::decimal(12, 4) as target_value, (v + y - 2020 - 90)::decimal(12, 4) as gap_to_target,
    v + y - 2020 >= 90 as is_met, 0.5::decimal(8, 4) as progress_share, null::decimal(12, 4) as computed_value,
    null::boolean as is_computed_different, null::varchar as missing_reason
from (values ('a_rate', 1, '某达标率', 88.125, 80), ('b_rate', 2, '另一比例', 70, null)) as t (code, n, zh, v, base),
    range(2021, 2026) as b (y);

-- one school has too few pupils in a grade: its rate is void in the mart as well as marked
create table fct_fitness_rate as
select 'upload' as result_kind, unit_level, unit_code, '110105' as district_code, 2024 as school_year_start,
    grade_key, 'all' as sex_code, scored::integer as scored_count,
    share::decimal(6, 4) as good_or_excellent_share, (share - 0.05)::decimal(6, 4) as good_or_excellent_low_share,
    (share + 0.05)::decimal(6, 4) as good_or_excellent_high_share, (share + 0.1)::decimal(6, 4) as pass_share,
    81.25::decimal(5, 2) as mean_total_score, 0.7::decimal(6, 4) as target_share, share > 0.7 as is_met,
    status as rate_status
from (values
    ('district', '110105', 'all', 1234, 0.7345, 'ok'),
    ('city', 'total', 'all', 9999, 0.7111, 'ok'),
    ('zone', 'central_city', 'all', 5000, 0.7222, 'ok'),
    ('school', '2110500001', 'all', 600, 0.8005, 'ok'),
    ('school', '2110500001', 'P1', 593, 0.8123, 'ok'),
    ('school', '2110500001', 'P2', 7, 0.4444, 'few_pupils'),
    ('school', '2110500002', 'all', 9, 0.5555, 'few_pupils')
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
