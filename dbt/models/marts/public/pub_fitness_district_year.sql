-- one row per level (city, district), unit and school year; districts add up to the city
with school_years as (
    select own.*, own.district_code is null and schools.is_registered as is_district_unmapped
    from {{ ref('fct_fitness_school_year') }} as own
    left join {{ ref('dim_school') }} as schools
        on own.school_code = schools.school_code
    where own.scored_count > 0
),

districts as (select * from {{ ref('dim_district') }}),

counted as (
    select
        case when grouping(district_code) = 1 then 'city' else 'district' end as unit_level,
        district_code,
        school_year_start,
        school_year,
        sum(scored_count)::integer as scored_count,
        sum(good_or_excellent_count)::integer as good_or_excellent_count,
        sum(pass_count)::integer as pass_count,
        sum(unmapped_count)::integer as unmapped_count,
        bool_or(is_district_unmapped) as is_district_unmapped,
    from school_years
    group by grouping sets ((district_code, school_year_start, school_year), (school_year_start, school_year))
),

{% set group_by = ['unit_level', 'school_year_start'] -%}
-- A share tells about both sides of it: a part and the rest are hidden together.
split as (
    select
        *,
        scored_count - good_or_excellent_count as below_good_count,
        scored_count - pass_count as failed_count,
        -- a share over too many codes that nobody mapped is void
        case when {{ is_void('good_or_excellent_count', 'scored_count', 'unmapped_count') }} then 'u' end as void_reason,
    from counted
),

judged as (
    select
        *,
        {{ hidden_reason(['scored_count'], group_by, ['district_code']) }} as scored_count_missing_reason,
        {{ hidden_reason(['good_or_excellent_count', 'below_good_count'], group_by, ['district_code']) }}
            as good_or_excellent_part_reason,
        {{ hidden_reason(['pass_count', 'failed_count'], group_by, ['district_code']) }} as pass_part_reason,
    from split
),

reasoned as (
    select
        *,
        coalesce(scored_count_missing_reason, good_or_excellent_part_reason, void_reason)
            as good_or_excellent_missing_reason,
        coalesce(scored_count_missing_reason, pass_part_reason, void_reason) as pass_missing_reason,
    from judged
)

select
    reasoned.unit_level,
    reasoned.district_code,
    districts.district_name_zh,
    reasoned.school_year_start,
    reasoned.school_year,
    case when scored_count_missing_reason is null then reasoned.scored_count end as scored_count,
    reasoned.scored_count_missing_reason,
    case when good_or_excellent_missing_reason is null then reasoned.good_or_excellent_count end
        as good_or_excellent_count,
    case
        when good_or_excellent_missing_reason is null
            then {{ share('reasoned.good_or_excellent_count', 'reasoned.scored_count') }}
    end as good_or_excellent_share,
    reasoned.good_or_excellent_missing_reason,
    case when pass_missing_reason is null then reasoned.pass_count end as pass_count,
    case when pass_missing_reason is null then {{ share('reasoned.pass_count', 'reasoned.scored_count') }} end
        as pass_share,
    reasoned.pass_missing_reason,
    -- that there are some, never how many
    coalesce(
        reasoned.unmapped_count > 0
        or bool_or(reasoned.is_district_unmapped) over (partition by reasoned.school_year_start),
        false
    ) as has_unmapped_code,
from reasoned
left join districts
    on reasoned.district_code = districts.district_code
-- pupils of no known district are in the city's row alone, and hidden behind others where they are few
where reasoned.unit_level = 'city' or reasoned.district_code is not null
