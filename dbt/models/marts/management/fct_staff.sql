-- one row per school, post, stage, subject, degree, title, backbone level and age band that staff in force have
with staff as (select * from {{ ref('stg_enrollment__staff') }}),

schools as (select * from {{ ref('int_enrollment__school') }}),

counted as (
    select
        school_code,
        staff_post_code,
        stage_code,
        subject_code,
        education_level_code,
        professional_title_code,
        backbone_level_code,
        case
            when age_years < 25 then '0_24'
            when age_years >= 60 then '60_up'
            else (age_years // 5 * 5) || '_' || (age_years // 5 * 5 + 4)
        end as age_band_code,
        count(*)::integer as staff_count,
        (count(*) filter (where has_unmapped_staff_code))::integer as unmapped_count,
    from staff
    group by all
)

select
    counted.school_code,
    schools.school_name,
    schools.district_code,
    schools.district_name_zh,
    counted.staff_post_code,
    staff_post_words.meaning_zh as staff_post_zh,
    counted.stage_code,
    stage_words.meaning_zh as stage_zh,
    counted.subject_code,
    subject_words.meaning_zh as subject_zh,
    counted.education_level_code,
    education_level_words.meaning_zh as education_level_zh,
    counted.professional_title_code,
    professional_title_words.meaning_zh as professional_title_zh,
    counted.backbone_level_code,
    backbone_level_words.meaning_zh as backbone_level_zh,
    counted.age_band_code,
    age_band_words.meaning_zh as age_band_zh,
    counted.staff_count,
    counted.unmapped_count,
from counted
left join schools
    on counted.school_code = schools.school_code
left join {{ source('standards', 'staff_post') }} as staff_post_words
    on counted.staff_post_code = staff_post_words.code
left join {{ source('standards', 'stage') }} as stage_words
    on counted.stage_code = stage_words.code
left join {{ source('standards', 'subject') }} as subject_words
    on counted.subject_code = subject_words.code
left join {{ source('standards', 'education_level') }} as education_level_words
    on counted.education_level_code = education_level_words.code
left join {{ source('standards', 'professional_title') }} as professional_title_words
    on counted.professional_title_code = professional_title_words.code
left join {{ source('standards', 'backbone_level') }} as backbone_level_words
    on counted.backbone_level_code = backbone_level_words.code
left join {{ source('standards', 'age_band') }} as age_band_words
    on counted.age_band_code = age_band_words.code
