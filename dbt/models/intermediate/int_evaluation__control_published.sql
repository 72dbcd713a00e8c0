-- one row per kind, level (district, city), district, school year and stage that a bulletin prints
with totals as (select * from {{ ref('stg_evaluation__control_total') }}),

districts as (select * from {{ source('standards', 'district') }}),

offices as (select * from {{ source('standards', 'sender') }}),

printed as (
    select
        unnest([ -- noqa: AL03
            { 'control_kind': 'pupil', 'published_count': totals.published_pupil_count },
            { 'control_kind': 'school', 'published_count': totals.published_school_count },
            { 'control_kind': 'teacher', 'published_count': totals.published_teacher_count }
        ], recursive := true),
        -- the city by a word of the contract, or by the code or name of an office that is no district's
        totals.unit_code = 'city' or (
            totals.unit_code not in (select districts.code from districts)
            and totals.unit_code in (
                select offices.code from offices
                union all
                select offices.meaning_zh from offices
            )
        ) as is_city,
        totals.unit_code,
        totals.school_year_start,
        totals.stage_code,
        totals.source_document,
        totals.published_date,
    from totals
),

-- the city may stand there under two names
units as (
    select
        control_kind,
        if(is_city, 'city', 'district') as unit_level,
        if(is_city, null, unit_code) as district_code,
        school_year_start,
        stage_code,
        published_count,
        source_document,
        published_date,
    from printed
    where published_count is not null
    qualify
        row_number() over (
            partition by control_kind, if(is_city, 'city', unit_code), school_year_start, stage_code
            order by unit_code = 'city' desc, unit_code
        ) = 1
),

-- where a bulletin prints all districts and no city, the districts are the city
counted_districts as (
    select
        control_kind,
        count(distinct district_code) as district_count,
    from {{ ref('int_evaluation__control_count') }}
    group by control_kind
),

whole as (
    select
        units.control_kind,
        'city' as unit_level,
        null::varchar as district_code,
        units.school_year_start,
        units.stage_code,
        sum(units.published_count)::integer as published_count,
        max(units.source_document) as source_document,
        max(units.published_date) as published_date,
    from units
    group by units.control_kind, units.school_year_start, units.stage_code
    having
        bool_and(units.unit_level = 'district')
        and count(*) >= (
            select max(counted.district_count) from counted_districts as counted
            where counted.control_kind = units.control_kind
        )
)

select * from units
union all by name
select * from whole
