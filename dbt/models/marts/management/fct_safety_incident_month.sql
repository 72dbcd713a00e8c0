-- one row per school, month of occurrence and kind of incident
with incidents as (select * from {{ ref('int_safety__incident_merged') }}),

schools as (select * from {{ ref('dim_school') }}),

types as (select * from {{ source('standards', 'incident_type') }})

select
    incidents.school_code,
    schools.school_name,
    schools.district_code,
    date_trunc('month', incidents.occurred_date)::date as month_start_date,
    coalesce(incidents.incident_type_code, 'unmapped') as incident_type_code,
    coalesce(types.meaning_zh, '未能识别') as incident_type_zh,
    types.category_code as incident_category_code,
    count(*)::integer as incident_count,
    coalesce(sum(incidents.injured_count), 0)::integer as injured_count,
    (count(*) filter (where not incidents.is_closed))::integer as open_incident_count,
    -- I to III: a level below is ordinary, a missing one is not known
    (count(*) filter (where incidents.incident_level_code in ('1', '2', '3')))::integer as serious_incident_count,
    -- of the school's month, whatever the kind: an incident of an unknown kind may be of each
    (sum(count(*) filter (where incidents.has_unmapped_code)) over (
        partition by incidents.school_code, date_trunc('month', incidents.occurred_date)
    ))::integer as unmapped_count,
from incidents
left join schools
    on incidents.school_code = schools.school_code
left join types
    on incidents.incident_type_code = types.code
group by
    incidents.school_code, schools.school_name, schools.district_code, date_trunc('month', incidents.occurred_date),
    incidents.incident_type_code, types.meaning_zh, types.category_code
