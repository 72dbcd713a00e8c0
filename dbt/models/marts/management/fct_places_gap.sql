-- one row per level (school, area, district, zone, city), unit, stage and school year, where places are known
with gaps as (
    select
        *,
        forecast as forecast_count,
        (existing_place_count + expected_place_count)::decimal(12, 1) as supply_count,
    from {{ ref('stg_places__gap') }}
),

districts as (select * from {{ ref('dim_district') }}),

-- projects whose state, stage or district nobody mapped count nowhere
projects as (
    select own.stage_code, own.district_code, zones.zone_code, count(*) as project_count
    from {{ ref('stg_places__capacity_project') }} as own
    left join districts as zones
        on own.district_code = zones.district_code
    where own.has_unmapped_code
    group by own.stage_code, own.district_code, zones.zone_code
),

unmapped as (
    select places.level, places.unit_code, places.stage_code, sum(projects.project_count)::integer as unmapped_count
    from (select distinct level, unit_code, district_code, stage_code from gaps) as places
    inner join projects
        on {{ may_belong_to_unit('projects', 'places') }}
    group by places.level, places.unit_code, places.stage_code
)

select
    gaps.level as unit_level,
    gaps.unit_code,
    gaps.district_code,
    districts.district_name_zh,
    gaps.stage_code,
    gaps.school_year_start,
    {{ school_year_label('gaps.school_year_start') }} as school_year,
    gaps.lead as lead_years,
    gaps.forecast_count,
    gaps.lower_80 as lower_80_count,
    gaps.upper_80 as upper_80_count,
    gaps.existing_place_count,
    gaps.planned_place_count as coming_place_count,
    gaps.expected_place_count,
    coalesce(unmapped.unmapped_count, 0) as unmapped_count,
    gaps.supply_count,
    gaps.surplus::decimal(12, 1) as surplus_count,
    gaps.shortage_probability,
    gaps.surplus_probability,
    gaps.expected_shortage,
    gaps.expected_surplus,
    gaps.warning_direction,
    gaps.warning_level,
    -- the formula is that of every stage
    {{ metric_share('places_occupancy_primary', 'gaps', 'decimal(8, 4)') }} as occupancy_share,
    gaps.run_id as decided_by_run_id,
from gaps
left join districts
    on gaps.district_code = districts.district_code
left join unmapped
    on
        gaps.level = unmapped.level
        and gaps.unit_code = unmapped.unit_code
        and gaps.stage_code = unmapped.stage_code
