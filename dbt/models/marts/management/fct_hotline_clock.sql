-- one row per district and class of hotline case with a clock
with cases as (select * from {{ ref('stg_evaluation__hotline_case') }}),

watched as (select * from {{ ref('stg_safety__hotline_watch') }}),

districts as (select * from {{ ref('dim_district') }}),

urgencies as (select * from {{ source('standards', 'hotline_urgency') }})

select
    cases.district_code,
    districts.district_name_zh,
    cases.hotline_urgency_code,
    urgencies.meaning_zh as hotline_urgency_zh,
    max(watched.hours_allowed)::decimal(8, 2) as hours_allowed,
    count(*)::integer as hotline_case_count,
    (count(*) filter (where watched.is_case_open))::integer as open_case_count,
    (count(*) filter (where watched.is_case_late))::integer as late_case_count,
    (count(*) filter (where watched.is_case_open and watched.is_case_late))::integer as overdue_case_count,
    {{ share('count(*) filter (where not watched.is_case_late)', 'count(*)') }} as in_time_share,
from cases
inner join watched
    on cases.hotline_case_code = watched.hotline_case_code
left join districts
    on cases.district_code = districts.district_code
left join urgencies
    on cases.hotline_urgency_code = urgencies.code
where cases.district_code is not null
group by cases.district_code, districts.district_name_zh, cases.hotline_urgency_code, urgencies.meaning_zh
