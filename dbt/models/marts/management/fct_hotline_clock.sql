-- one row per district and class of hotline case with a clock
with cases as (select * from {{ ref('stg_evaluation__hotline_case') }}),

watched as (select * from {{ ref('stg_safety__hotline_watch') }}),

districts as (select * from {{ ref('dim_district') }}),

urgencies as (select * from {{ source('standards', 'hotline_urgency') }}),

counted as (
    select
        cases.district_code,
        cases.hotline_urgency_code,
        max(watched.hours_allowed)::decimal(8, 2) as hours_allowed,
        count(*)::integer as hotline_case_count,
        (count(*) filter (where watched.is_case_open))::integer as open_case_count,
        (count(*) filter (where watched.is_case_late))::integer as late_case_count,
        (count(*) filter (where watched.is_case_open and watched.is_case_late))::integer as overdue_case_count,
        (count(*) filter (where not watched.is_case_late))::integer as in_time_case_count,
    from cases
    inner join watched
        on cases.hotline_case_code = watched.hotline_case_code
    where cases.district_code is not null
    group by cases.district_code, cases.hotline_urgency_code
),

-- without a class no clock runs, and without a district a case is nobody's: it may be of each row that agrees
unmapped as (
    select counted.district_code, counted.hotline_urgency_code, count(*)::integer as unmapped_count
    from counted
    inner join cases
        on cases.has_unmapped_code and {{ may_belong('cases', 'counted', ['district_code', 'hotline_urgency_code']) }}
    group by counted.district_code, counted.hotline_urgency_code
),

judged as (
    select
        counted.*,
        coalesce(unmapped.unmapped_count, 0) as unmapped_count,
    from counted
    left join unmapped
        on
            counted.district_code = unmapped.district_code
            and counted.hotline_urgency_code = unmapped.hotline_urgency_code
)

select
    judged.district_code,
    districts.district_name_zh,
    judged.hotline_urgency_code,
    urgencies.meaning_zh as hotline_urgency_zh,
    judged.hours_allowed,
    judged.hotline_case_count,
    judged.open_case_count,
    judged.late_case_count,
    judged.overdue_case_count,
    judged.in_time_case_count,
    judged.unmapped_count,
    case
        when not {{ is_void('judged.in_time_case_count', 'judged.hotline_case_count', 'judged.unmapped_count') }}
            then {{ metric_share('hotline_in_time_share', 'judged') }}
    end as in_time_share,
from judged
left join districts
    on judged.district_code = districts.district_code
left join urgencies
    on judged.hotline_urgency_code = urgencies.code
