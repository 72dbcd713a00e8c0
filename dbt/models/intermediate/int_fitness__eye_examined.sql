-- one row per pupil and school year with any eyesight: what the screening found
{{ config(materialized='table') }}

with results as (
    select * from {{ ref('stg_fitness__test_result') }}
    where naked_vision_left is not null or naked_vision_right is not null
    qualify
        row_number() over (
            partition by pupil_key, school_year_start order by is_retest, test_date nulls last, school_code
        ) = 1
),

bounds as (
    select
        school_year_start,
        max(rules.value::decimal(4, 2)) filter (where rules.rule = 'poor_vision_below') as poor_below,
        max(rules.value::decimal(4, 2)) filter (where rules.rule = 'mild_from') as mild_from,
        max(rules.value::decimal(4, 2)) filter (where rules.rule = 'moderate_from') as moderate_from,
        max(rules.value::decimal(4, 2)) filter (where rules.rule = 'myopia_equivalent_below') as myopia_below,
    from (select distinct school_year_start from results) as years
    left join
        lateral {{ standard_in_force('fitness_eyesight', fitness_day('years.school_year_start')) }} as rules
        on true
    group by school_year_start
),

schools as (select * from {{ ref('int_enrollment__school') }}),

grades as (select * from {{ source('standards', 'grade') }} where fitness_code is not null),

read_off as (
    select
        results.*,
        -- below 3.0 is written 0; what lies between is another notation, and says nothing here
        case when naked_vision_left = 0 or naked_vision_left >= 3 then naked_vision_left end as vision_left,
        case when naked_vision_right = 0 or naked_vision_right >= 3 then naked_vision_right end as vision_right,
        sphere_left_d + coalesce(cylinder_left_d, 0) / 2 as equivalent_left,
        sphere_right_d + coalesce(cylinder_right_d, 0) / 2 as equivalent_right,
        eyewear_code = '2' as has_night_lens,
        bounds.* exclude (school_year_start),
    from results
    inner join bounds
        on results.school_year_start = bounds.school_year_start
),

judged as (
    select
        *,
        least(vision_left, vision_right) as worse_vision,
        -- one eye below the bound is enough; whole vision needs both eyes
        case
            when least(vision_left, vision_right) < poor_below then true
            when vision_left is not null and vision_right is not null then false
        end as is_poor,
        coalesce(
            has_night_lens,
            false
        ) or (equivalent_left is not null and equivalent_right is not null) as has_refraction,
    from read_off
)

select
    'upload' as result_kind,
    judged.pupil_key,
    judged.school_year_start,
    judged.school_code,
    coalesce(schools.district_code, '?') as district_code,
    coalesce(schools.zone_code, '?') as zone_code,
    schools.is_district_unmapped,
    coalesce(grades.code, '?') as grade_key,
    coalesce(judged.sex_code, '9') as sex_code,
    judged.is_poor is not null as is_examined,
    judged.is_poor,
    judged.worse_vision,
    case
        when not judged.is_poor then 'normal'
        when judged.worse_vision >= judged.mild_from then 'mild'
        when judged.worse_vision >= judged.moderate_from then 'moderate'
        when judged.is_poor then 'severe'
    end as vision_class,
    judged.is_poor is not null and judged.has_refraction as is_refracted,
    case
        when judged.is_poor is null or not judged.has_refraction then null
        else
            coalesce(judged.has_night_lens, false)
            or coalesce(judged.vision_left < judged.poor_below and judged.equivalent_left < judged.myopia_below, false)
            or coalesce(
                judged.vision_right < judged.poor_below and judged.equivalent_right < judged.myopia_below, false
            )
    end as is_myopic,
    judged.eyewear_code,
    {{ has_unmapped_code(['sex_code']) }} as is_sex_unmapped,
    {{ has_unmapped_code(['sex_code', 'eyewear_code']) }} as has_unmapped_code,
from judged
left join schools
    on judged.school_code = schools.school_code
left join grades
    on judged.fitness_grade_code = grades.fitness_code::integer
