-- one row per level (school, district, zone, city), unit, plan indicator and calendar year, counted or with a reason
with schools as (select * from {{ ref('stg_evaluation__plan_count') }} where is_in_scope),

rates as (select * from {{ ref('fct_fitness_rate') }}),

campuses as (select * from {{ ref('fct_safety_campus_status') }}),

districts as (select * from {{ ref('dim_district') }}),

indicators as (select code as metric_code from {{ source('standards', 'plan_indicator') }}),

-- what each school adds; one that stated nothing adds nothing and is counted
parts as (
    select
        indicator_code as metric_code,
        count_year as period_year,
        school_code,
        district_code,
        case when not is_missing then yes_count end as yes_count,
        case when not is_missing then known_count end as known_count,
        case when not is_missing then unknown_count end as unknown_count,
        is_missing,
    from schools
    union all
    select
        'safe_campus_rate' as metric_code,
        year({{ as_of_date() }}) as period_year,
        school_code,
        district_code,
        is_safe_campus_met::integer as yes_count,
        1 as known_count,
        -- a school that codes could make safe or not
        (unmapped_count > 0)::integer as unknown_count,
        false as is_missing,
    from campuses
),

summed as (
    select
        case
            when grouping(parts.school_code) = 0 then 'school'
            when grouping(parts.district_code) = 0 then 'district'
            when grouping(districts.zone_code) = 0 then 'zone'
            else 'city'
        end as unit_level,
        case
            when grouping(parts.school_code) = 0 then parts.school_code
            when grouping(parts.district_code) = 0 then parts.district_code
            when grouping(districts.zone_code) = 0 then districts.zone_code
            else 'city'
        end as unit_code,
        case when grouping(parts.district_code) = 0 then parts.district_code end as district_code,
        parts.metric_code,
        parts.period_year,
        sum(parts.yes_count) as yes_count,
        sum(parts.known_count) as known_count,
        coalesce(sum(parts.unknown_count), 0) as unknown_count,
        count(distinct parts.school_code) filter (where parts.is_missing) as missing_school_count,
        -- of schools whose district nobody mapped, each district may have all
        coalesce(
            sum(parts.known_count + parts.unknown_count) filter (where parts.district_code is null), 0
        ) as unplaced_count,
    from parts
    left join districts
        on parts.district_code = districts.district_code
    group by
        parts.metric_code,
        parts.period_year,
        grouping sets (
            (parts.school_code, parts.district_code, districts.zone_code),
            (parts.district_code, districts.zone_code),
            (districts.zone_code),
            ()
        )
),

whole as (
    select
        * exclude (unplaced_count, unknown_count),
        case
            when unit_level in ('district', 'zone')
                then unknown_count + max(case when unit_level = 'city' then unplaced_count else 0 end)
                    over (partition by metric_code, period_year)
            else unknown_count
        end as unknown_count,
    from summed
),

counted as (
    select
        unit_level,
        unit_code,
        district_code,
        metric_code,
        period_year,
        yes_count,
        known_count,
        missing_school_count,
        unknown_count,
    from whole
    where
        unit_code is not null
        -- a kindergarten is inclusive or not: the share of its children says no more
        and (unit_level <> 'school' or metric_code <> 'inclusive_kindergarten_coverage')
    union all
    select
        unit_level,
        coalesce(unit_code, 'city') as unit_code,
        district_code,
        'fitness_good_or_excellent_rate' as metric_code,
        school_year_start as period_year,
        good_or_excellent_count as yes_count,
        scored_count as known_count,
        0 as missing_school_count,
        unmapped_count as unknown_count,
    from rates
    where result_kind = 'upload' and grade_key = 'all' and sex_code = 'all'
),

-- districts, zones and the city have every indicator of each year that is counted, or a reason
units as (
    select 'district' as unit_level, district_code as unit_code, district_code
    from districts
    union all
    select distinct 'zone' as unit_level, zone_code as unit_code, null as district_code
    from districts
    where zone_code is not null
    union all
    select 'city' as unit_level, 'city' as unit_code, null as district_code
),

asked as (
    select units.*, indicators.metric_code, years.period_year
    from units
    inner join indicators
        on true
    inner join (select distinct count_year as period_year from schools) as years
        on true
),

listed as (
    select
        coalesce(counted.unit_level, asked.unit_level) as unit_level,
        coalesce(counted.unit_code, asked.unit_code) as unit_code,
        coalesce(counted.district_code, asked.district_code) as district_code,
        coalesce(counted.metric_code, asked.metric_code) as metric_code,
        coalesce(counted.period_year, asked.period_year)::integer as period_year,
        counted.yes_count,
        coalesce(counted.known_count, 0) as known_count,
        coalesce(counted.unknown_count, 0)::integer as unknown_count,
        coalesce(counted.missing_school_count, 0)::integer as missing_school_count,
    from counted
    full outer join asked
        on
            counted.unit_level = asked.unit_level
            and counted.unit_code = asked.unit_code
            and counted.metric_code = asked.metric_code
            and counted.period_year = asked.period_year
),

judged as (
    select
        *,
        case
            when known_count > 0
                then case when {{ is_void('yes_count', 'known_count', 'unknown_count') }} then 'unknown_code' end
            when unknown_count > 0 then 'unknown_code'
            when metric_code = 'kindergarten_enrollment_rate' then 'resident_children_unknown'
            when metric_code in ('new_labour_schooling_years', 'education_share_of_public_spending') then 'not_in_lake'
            when metric_code = 'dual_qualified_vocational_teacher_share' then 'no_vocational_school'
            else 'nothing_stated'
        end as missing_reason,
    from listed
)

select
    judged.unit_level,
    judged.unit_code,
    judged.district_code,
    case when judged.unit_level = 'zone' then judged.unit_code else districts.zone_code end as zone_code,
    judged.metric_code,
    judged.period_year,
    case when judged.missing_reason is null then judged.yes_count end::decimal(18, 4) as numerator,
    case when judged.missing_reason is null then judged.known_count end::decimal(18, 4) as denominator,
    judged.unknown_count,
    judged.missing_school_count,
    judged.missing_reason,
    case
        when judged.known_count = 0 then null
        when judged.metric_code = 'fitness_good_or_excellent_rate' then 'fct_fitness_rate'
        when judged.metric_code = 'safe_campus_rate' then 'fct_safety_campus_status'
        when judged.metric_code = 'nearby_enrollment_rate' then 'clean_enrollment__pupil_registration'
        when judged.metric_code = 'inclusive_kindergarten_coverage' then 'clean_enrollment__grade_count'
        when contains(judged.metric_code, 'teacher') then 'clean_enrollment__staff'
        else 'clean_enrollment__school'
    end as counted_from,
from judged
left join districts
    on judged.district_code = districts.district_code
