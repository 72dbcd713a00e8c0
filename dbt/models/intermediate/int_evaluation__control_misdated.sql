-- one row per kind, district and school year whose figures are another year's, with that year
with published as (
    select * from {{ ref('int_evaluation__control_published') }}
    where unit_level = 'district'
),

tolerances as (
    select * from {{ standard_in_force('control_tolerance', as_of_date()) }} as dated
),

counted as (
    select
        control_kind,
        district_code,
        school_year_start,
        stage_code,
        sum(counted_count)::integer as our_count,
    from {{ ref('int_evaluation__control_count') }}
    where stage_code is not null and district_code is not null
    group by all
),

held_years as (select distinct control_kind, district_code, school_year_start from counted),

-- how far a district's figures of a year are from each year's bulletin, all stages together
apart as (
    select
        published.control_kind,
        published.district_code,
        held_years.school_year_start,
        published.school_year_start as published_year,
        sum(abs(coalesce(counted.our_count, 0) - published.published_count))
        / nullif(sum(published.published_count), 0) as apart_share,
        sum(published.published_count) as total_count,
    from published
    inner join held_years
        on
            published.control_kind = held_years.control_kind
            and published.district_code = held_years.district_code
    left join counted
        on
            published.control_kind = counted.control_kind
            and published.district_code = counted.district_code
            and held_years.school_year_start = counted.school_year_start
            and published.stage_code = counted.stage_code
    group by all
    having count(*) > 1
),

nearest as (
    select
        control_kind,
        district_code,
        school_year_start,
        min(apart_share) filter (where published_year = school_year_start) as own_share,
        min(apart_share) filter (where published_year != school_year_start) as other_share,
        -- of two years that are equally near, the earlier one
        arg_min(published_year, row(apart_share, published_year))
        filter (where published_year != school_year_start) as other_year,
        arg_min(total_count, row(apart_share, published_year))
        filter (where published_year != school_year_start) as other_count,
    from apart
    group by all
)

select
    nearest.control_kind,
    nearest.district_code,
    nearest.school_year_start,
    nearest.other_year as matched_school_year_start,
from nearest
inner join tolerances
    on nearest.control_kind = tolerances.control_kind
where
    nearest.other_count >= tolerances.least_same_count::integer
    and case
        when nearest.own_share is null then nearest.other_share <= tolerances.same_unpublished_share::double
        else
            nearest.other_share <= tolerances.same_year_share::double
            and nearest.other_share <= nearest.own_share / 4
            and nearest.own_share > 0
    end
