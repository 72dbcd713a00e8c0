-- one row per kind of item and item: what needs a decision on the run's day, and of whom
with hazards as (select * from {{ ref('fct_safety_hazard') }} where is_hazard_overdue),

hazard_categories as (select * from {{ source('standards', 'hazard_category') }}),

alerts as (select * from {{ ref('fct_safety_alert') }} where is_pending),

districts as (select * from {{ ref('dim_district') }}),

stages as (select * from {{ source('standards', 'stage') }}),

-- of each district and stage the years with a warning of too few places
shortages as (
    select
        district_code,
        stage_code,
        min(school_year_start) as first_year,
        max(expected_shortage) as largest_shortage,
        arg_max(school_year_start, (expected_shortage, -school_year_start)) as largest_year,
        min_by(warning_level, array_position(['red', 'orange', 'yellow', 'blue'], warning_level)) as warning_level,
    from {{ ref('fct_places_gap') }}
    where warning_direction = 'shortage' and unit_level = 'district'
    group by district_code, stage_code
),

indicators as (
    select * from {{ ref('fct_plan_indicator') }}
    where
        is_newest_year
        and unit_level in ('district', 'city')
        and status_code in ('behind_path', 'will_miss', 'missed')
),

controls as (select * from {{ ref('fct_control_total') }} where control_verdict in ('warns', 'stops')),

control_kinds as (select * from {{ source('standards', 'control_kind') }}),

control_reasons as (select * from {{ source('standards', 'control_reason') }}),

-- a school that is odd as a whole, and classes of the others
reviews as (
    select * from {{ ref('fct_fitness_review') }}
    where
        is_to_review
        and (review_level = 'class' or flagged_class_count = 0)
        and school_year_start = (select max(school_year_start) from {{ ref('fct_fitness_review') }})
),

items as (
    select
        'hazard_overdue' as item_kind,
        hazards.school_code || '|' || hazards.hazard_code as item_key,
        hazards.district_code,
        hazards.school_code,
        hazards.escalation_level as own_level,
        hazards.escalation_owner as owner_zh,
        hazards.school_name as unit_zh,
        hazards.school_name as unit_en,
        concat_ws(' ', hazards.hazard_category_zh, hazards.hazard_code) as what_zh,
        concat_ws(', ', hazard_categories.meaning_en, hazards.hazard_code) as what_en,
        hazards.found_date as since_date,
        hazards.hazard_due_date as due_date,
        'fct_safety_hazard' as source_table,
    from hazards
    left join hazard_categories
        on hazards.hazard_category_code = hazard_categories.code
    union all by name
    -- the alert of a hazard that stands above as overdue is the same matter
    select
        'alert_pending' as item_kind,
        alerts.alert_id as item_key,
        alerts.district_code,
        alerts.school_code,
        alerts.alert_level as own_level,
        alerts.owner as owner_zh,
        coalesce(alerts.school_name, districts.district_name_zh, '') as unit_zh,
        coalesce(alerts.school_name, districts.district_name_en, '') as unit_en,
        alerts.rule_zh as what_zh,
        alerts.rule_code as what_en,
        alerts.raised_date as since_date,
        alerts.due_date,
        'fct_safety_alert' as source_table,
    from alerts
    left join districts
        on alerts.district_code = districts.district_code
    where
        not exists (
            select 1 from hazards
            where hazards.school_code = alerts.school_code and hazards.hazard_code = alerts.condition_code
        )
    union all by name
    select
        'places_short' as item_kind,
        shortages.district_code || '|' || shortages.stage_code as item_key,
        shortages.district_code,
        shortages.warning_level as own_level,
        districts.district_name_zh as unit_zh,
        districts.district_name_en as unit_en,
        stages.meaning_zh as what_zh,
        stages.meaning_en as what_en,
        ceil(shortages.largest_shortage)::integer::varchar as number_told,
        {{ school_year_label('shortages.first_year') }} as first_told,
        {{ school_year_label('shortages.largest_year') }} as time_told,
        'fct_places_gap' as source_table,
    from shortages
    left join districts
        on shortages.district_code = districts.district_code
    left join stages
        on shortages.stage_code = stages.code
    union all by name
    select
        'indicator_off_path' as item_kind,
        indicators.unit_code || '|' || indicators.indicator_code as item_key,
        indicators.district_code,
        indicators.status_code as item_state,
        if(indicators.district_code is null, '市教委', null) as owner_zh,
        coalesce(indicators.district_name_zh, '全市') as unit_zh,
        coalesce(districts.district_name_en, 'city') as unit_en,
        concat_ws(' ', indicators.indicator_no, indicators.indicator_zh) as what_zh,
        concat_ws(' ', indicators.indicator_no, indicators.indicator_en) as what_en,
        -- as printed
        abs(indicators.gap_to_target)::decimal(12, 2)::varchar || indicators.indicator_unit_zh as number_told,
        indicators.indicator_year::varchar as time_told,
        'fct_plan_indicator' as source_table,
    from indicators
    left join districts
        on indicators.district_code = districts.district_code
    union all by name
    select
        'control_differs' as item_kind,
        concat_ws(
            '|', controls.control_kind, controls.unit_level, controls.district_code, controls.stage_code,
            controls.school_year_start
        ) as item_key,
        controls.district_code,
        controls.control_verdict as item_state,
        if(controls.district_code is null, '市教委', null) as owner_zh,
        coalesce(controls.district_name_zh, '全市') as unit_zh,
        coalesce(districts.district_name_en, 'city') as unit_en,
        concat_ws('，', coalesce(controls.stage_zh, '') || control_kinds.meaning_zh, control_reasons.meaning_zh)
            as what_zh,
        concat_ws(', ', stages.meaning_en, control_kinds.meaning_en, control_reasons.meaning_en) as what_en,
        controls.difference_count::varchar as number_told,
        controls.school_year as time_told,
        controls.published_date as since_date,
        'fct_control_total' as source_table,
    from controls
    left join districts
        on controls.district_code = districts.district_code
    left join stages
        on controls.stage_code = stages.code
    left join control_kinds
        on controls.control_kind = control_kinds.code
    left join control_reasons
        on controls.control_reason = control_reasons.code
    union all by name
    select
        'fitness_review' as item_kind,
        concat_ws('|', reviews.school_year_start, reviews.school_code, reviews.class_code) as item_key,
        reviews.district_code,
        reviews.school_code,
        reviews.school_name || coalesce(' ' || reviews.class_code || ' 班', '') as unit_zh,
        reviews.school_name || coalesce(', class ' || reviews.class_code, '') as unit_en,
        coalesce(reviews.main_test_zh, '全校结果') as what_zh,
        reviews.review_level as what_en,
        reviews.school_year as time_told,
        'fct_fitness_review' as source_table,
    from reviews
    union all by name
    select
        'late_sender' as item_kind,
        concat_ws('|', sender_code, dataset, period) as item_key,
        district_code,
        sender_name as unit_zh,
        sender_name as unit_en,
        dataset_zh as what_zh,
        dataset as what_en,
        period as time_told,
        due_date as since_date,
        due_date,
        'fct_reporting_calendar' as source_table,
    from {{ ref('fct_reporting_calendar') }}
    where is_late_now
),

rules as (
    select *
    from {{ standard_in_force('inbox_rule', as_of_date()) }}
),

late as (
    select
        *,
        case when due_date is not null then greatest(({{ as_of_date() }} - due_date)::integer, 0) end as days_overdue,
    from items
),

-- of the rules of a kind the one for its state, and of those the one that asks for the most days
ruled as (
    select
        late.*,
        rules.item_kind_zh,
        rules.title_zh,
        rules.title_en,
        rules.ask_zh,
        rules.ask_en,
        coalesce(rules.warning_level, late.own_level, 'blue') as warning_level,
        coalesce(late.owner_zh, rules.owner_zh) as asked_zh,
    from late
    inner join rules
        on
            late.item_kind = rules.item_kind
            and coalesce(rules.item_state = late.item_state, rules.item_state is null)
            and coalesce(late.days_overdue >= rules.least_days::integer, rules.least_days is null)
    qualify
        row_number() over (
            partition by late.item_kind, late.item_key order by rules.least_days::integer desc nulls last
        ) = 1
),

owners as (select owner_zh, owner_en from rules where item_kind = 'owner'),

told as (
    select
        ruled.*,
        coalesce(owners.owner_en, ruled.asked_zh) as asked_en,
    from ruled
    left join owners
        on ruled.asked_zh = owners.owner_zh
)

select
    told.item_kind,
    told.item_kind_zh,
    told.item_key,
    told.district_code,
    districts.district_name_zh,
    told.school_code,
    told.warning_level,
    array_position(['red', 'orange', 'yellow', 'blue'], told.warning_level)::integer as warning_rank,
    {{ filled_in('told', 'title', 'zh') }} as title_zh,
    {{ filled_in('told', 'title', 'en') }} as title_en,
    told.asked_zh,
    told.asked_en,
    {{ filled_in('told', 'ask', 'zh') }} as ask_zh,
    {{ filled_in('told', 'ask', 'en') }} as ask_en,
    told.since_date,
    told.due_date,
    told.days_overdue,
    told.source_table,
from told
left join districts
    on told.district_code = districts.district_code
