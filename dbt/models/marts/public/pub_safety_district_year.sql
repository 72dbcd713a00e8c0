-- one row per level (city, district), unit and school year; districts add up to the city
with incidents as (select * from {{ ref('int_safety__incident_merged') }}),

schools as (select * from {{ ref('dim_school') }}),

districts as (select * from {{ ref('dim_district') }}),

placed as (
    select
        schools.district_code,
        {{ school_year_of('incidents.occurred_date') }}::integer as school_year_start,
        coalesce(incidents.injured_count, 0) as injured_count,
        schools.is_registered and schools.district_code is null as is_district_unmapped,
    from incidents
    inner join schools
        on incidents.school_code = schools.school_code
    where incidents.occurred_date is not null
),

-- a district without a row would tell which others have incidents, whatever is hidden of them
told as (
    select
        district_code,
        school_year_start,
        1 as incident_count,
        injured_count,
        is_district_unmapped,
    from placed
    union all
    select
        districts.district_code,
        years.school_year_start,
        0 as incident_count,
        0 as injured_count,
        false as is_district_unmapped,
    from districts
    inner join (select distinct school_year_start from placed) as years
        on true
),

counted as (
    select
        case when grouping(district_code) = 1 then 'city' else 'district' end as unit_level,
        district_code,
        school_year_start,
        sum(incident_count)::integer as incident_count,
        sum(injured_count)::integer as injured_count,
        bool_or(is_district_unmapped) as is_district_unmapped,
    from told
    group by grouping sets ((district_code, school_year_start), (school_year_start))
)

select
    counted.unit_level,
    counted.district_code,
    districts.district_name_zh,
    counted.school_year_start,
    {{ school_year_label('counted.school_year_start') }} as school_year,
    -- an incident of a handful is about persons too: both counts are hidden alike, in jobs/publish/protect
    counted.incident_count,
    null::varchar as incident_count_missing_reason,
    counted.injured_count,
    null::varchar as injured_count_missing_reason,
    -- all kinds and levels are counted, so only a school's district can be missing
    coalesce(bool_or(counted.is_district_unmapped) over (partition by counted.school_year_start), false)
        as has_unmapped_code,
from counted
left join districts
    on counted.district_code = districts.district_code
-- incidents of no known district are in the city's row alone
where counted.unit_level = 'city' or counted.district_code is not null
