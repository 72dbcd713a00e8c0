-- one row per kind, level (district, city), district, stage and school year; in words, and counts where nobody is few
with totals as (select * from {{ ref('fct_control_total') }}),

kinds as (select * from {{ source('standards', 'control_kind') }}),

verdicts as (select * from {{ source('standards', 'control_verdict') }}),

reasons as (select * from {{ source('standards', 'control_reason') }}),

-- counts of persons stand here only where no unit of their sum is few: then no public table hides any of them
shown as (
    select
        *,
        control_kind = 'school' or min(
            least(coalesce(our_count, published_count), coalesce(published_count, our_count))
        ) over (
            partition by control_kind, stage_code, school_year_start
        ) >= 2 * {{ var('small_cell') }} as is_shown,
    from totals
)

select
    kinds.meaning_zh as control_kind_zh,
    shown.control_kind,
    shown.unit_level,
    shown.district_code,
    shown.district_name_zh,
    shown.stage_code,
    shown.stage_zh,
    shown.school_year_start,
    shown.school_year,
    case when shown.is_shown then shown.our_count end as our_count,
    case when shown.is_shown then shown.published_count end as published_count,
    case when shown.is_shown then shown.difference_count end as difference_count,
    case when not shown.is_shown then 'k' end as control_counts_missing_reason,
    verdicts.meaning_zh as control_verdict_zh,
    verdicts.meaning_en as control_verdict_en,
    reasons.meaning_zh as control_reason_zh,
    reasons.meaning_en as control_reason_en,
    shown.source_document,
    shown.published_date,
from shown
left join kinds
    on shown.control_kind = kinds.code
left join verdicts
    on shown.control_verdict = verdicts.code
left join reasons
    on shown.control_reason = reasons.code
