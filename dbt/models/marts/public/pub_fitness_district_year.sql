-- one row per level (city, district), unit and school year; districts add up to the city
with rates as (
    select
        unit_level,
        district_code,
        school_year_start,
        school_year,
        scored_count,
        good_or_excellent_count,
        pass_count,
        unmapped_count,
        good_or_excellent_share,
        pass_share,
    from {{ ref('fct_fitness_rate') }}
    where
        result_kind = 'upload' and unit_level in ('city', 'district')
        and grade_key = 'all' and sex_code = 'all' and scored_count > 0
),

districts as (select * from {{ ref('dim_district') }}),

-- Pupils of no known district are in the city's row alone. Where they are few, they are hidden like a small district:
-- all the others would give them back.
without_district as (
    select
        'district' as unit_level,
        null as district_code,
        school_year_start,
        school_year,
        sum(if(unit_level = 'city', 1, -1) * scored_count)::integer as scored_count,
        sum(if(unit_level = 'city', 1, -1) * good_or_excellent_count)::integer as good_or_excellent_count,
        sum(if(unit_level = 'city', 1, -1) * pass_count)::integer as pass_count,
        0 as unmapped_count,
    from rates
    group by school_year_start, school_year
    having sum(if(unit_level = 'city', 1, -1) * scored_count) > 0
),

{% set group_by = ['unit_level', 'school_year_start'] -%}
-- A share tells about both sides of it: a part and the rest are hidden together.
split as (
    select
        *,
        scored_count - good_or_excellent_count as below_good_count,
        scored_count - pass_count as failed_count,
        -- a share over too many codes that nobody mapped is void
        case when good_or_excellent_share is null then 'u' end as void_reason,
    from (
        select * from rates
        union all by name
        select * from without_district
    ) as counted
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
    case when good_or_excellent_missing_reason is null then reasoned.good_or_excellent_share end
        as good_or_excellent_share,
    reasoned.good_or_excellent_missing_reason,
    case when pass_missing_reason is null then reasoned.pass_count end as pass_count,
    case when pass_missing_reason is null then reasoned.pass_share end as pass_share,
    reasoned.pass_missing_reason,
    -- that there are some, never how many; a code that any district may lack is one that the city's parts lack
    coalesce(
        reasoned.unmapped_count > 0
        or (
            reasoned.unit_level = 'city'
            and bool_or(reasoned.unmapped_count > 0) over (partition by reasoned.school_year_start)
        ),
        false
    ) as has_unmapped_code,
from reasoned
left join districts
    on reasoned.district_code = districts.district_code
where reasoned.unit_level = 'city' or reasoned.district_code is not null
