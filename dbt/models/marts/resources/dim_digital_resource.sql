-- one row per digital resource that a catalogue lists or that was used
with catalogue as (select * from {{ ref('stg_resources__digital_resource') }}),

uses as (
    select
        resource_code,
        -- who reports its use, where no catalogue lists it
        arg_max(sender_code, (use_date, sender_code)) as sender_code,
        min(use_date) as first_use_date,
        max(use_date) as last_use_date,
        sum(use_count) as use_count,
        bool_or(has_unmapped_code) as has_unmapped_code,
    from {{ ref('stg_resources__resource_use') }}
    group by resource_code
),

-- up to which day each platform has told what was used: of the days after nobody knows
told as (
    select sender_code, max(use_date) as use_through_date
    from {{ ref('stg_resources__resource_use') }}
    group by sender_code
),

terms as (
    select max(value::integer) filter (where term = 'unused_after_days') as unused_after_days
    from {{ standard_in_force('resource_term', as_of_date()) }}
),

listed as (
    select
        coalesce(catalogue.resource_code, uses.resource_code) as resource_code,
        catalogue.* exclude (resource_code, sender_code, has_unmapped_code),
        catalogue.resource_code is not null as is_in_catalogue,
        catalogue.published_date <= {{ as_of_date() }}
        and coalesce(catalogue.unpublished_date > {{ as_of_date() }}, true) as is_on_shelf,
        coalesce(catalogue.sender_code, uses.sender_code) as sender_code,
        uses.first_use_date,
        uses.last_use_date,
        coalesce(uses.use_count, 0)::integer as use_count,
        coalesce(catalogue.has_unmapped_code, false) or coalesce(uses.has_unmapped_code, false) as has_unmapped_code,
    from catalogue
    full outer join uses
        on catalogue.resource_code = uses.resource_code
),

aged as (
    select
        listed.*,
        told.use_through_date,
        case
            when told.use_through_date is not null
                then greatest(
                    (told.use_through_date - greatest(listed.last_use_date, listed.published_date))::integer, 0
                )
        end as unused_days,
    from listed
    left join told
        on listed.sender_code = told.sender_code
),

districts as (select * from {{ ref('dim_district') }}),

kinds as (select * from {{ source('standards', 'resource_kind') }}),

stages as (select * from {{ source('standards', 'stage') }}),

subjects as (select * from {{ source('standards', 'subject') }})

select
    aged.resource_code,
    aged.resource_title,
    aged.resource_kind_code,
    kinds.meaning_zh as resource_kind_zh,
    aged.stage_code,
    stages.meaning_zh as stage_zh,
    aged.grade_key,
    aged.subject_code,
    subjects.meaning_zh as subject_zh,
    aged.contributor_code,
    districts.district_name_zh as contributor_district_zh,
    aged.published_date,
    aged.unpublished_date,
    aged.is_open_resource,
    aged.is_in_catalogue,
    aged.is_on_shelf,
    aged.first_use_date,
    aged.last_use_date,
    aged.use_through_date,
    aged.use_count,
    aged.unused_days,
    -- unknown for what no catalogue lists, and where a platform reports no use at all
    aged.is_on_shelf and aged.unused_days >= terms.unused_after_days as is_unused,
    aged.has_unmapped_code,
from aged
left join terms
    on true
left join districts
    on aged.contributor_code = districts.district_code
left join kinds
    on aged.resource_kind_code = kinds.code
left join stages
    on aged.stage_code = stages.code
left join subjects
    on aged.subject_code = subjects.code
