-- one row per sender, dataset and period: what the reporting calendar expects, what came, and how far it is signed off
with receipts as (
    select
        sender_code,
        received_date,
        outcome,
        -- the same bytes again hold what they held the first time
        coalesce(dataset, max(dataset) over (partition by sender_code, file_sha256)) as dataset,
        case
            when outcome = 'repeated' then max(accepted_count) over (partition by sender_code, file_sha256)
            else accepted_count
        end as accepted_count,
        refused_count,
    from {{ ref('stg_ops__receipt') }}
),

datasets as (select * from {{ source('standards', 'dataset') }}),

schools as (select * from {{ ref('dim_school') }}),

senders as (
    select
        code as sender_code,
        'district' as sender_kind,
        meaning_zh as sender_name,
        code as district_code,
        null as school_type_code,
        null::date as opened_date,
        null::date as closed_date,
    from {{ source('standards', 'district') }}
    union all by name
    select
        code as sender_code,
        'city' as sender_kind,
        meaning_zh as sender_name,
    from {{ source('standards', 'sender') }}
    union all by name
    select
        school_code as sender_code,
        'school' as sender_kind,
        school_name as sender_name,
        district_code,
        school_type_code,
        opened_date,
        closed_date,
    from schools
    where is_registered
),

-- a delivery is one of the period that opened last when it came
periods as (
    select
        dataset,
        senders as sender_kind,
        nullif(types, '') as school_types,
        period,
        begins::date as period_first_date,
        opens::date as opens_date,
        due::date as due_date,
        lead(opens::date, 1, date '9999-12-31')
            over (partition by dataset, senders order by opens::date)
            as closes_date,
    from {{ source('standards', 'reporting_period') }}
),

-- nobody owes anything from before the site's first delivery
owed as (
    select
        senders.sender_code,
        senders.sender_kind,
        senders.sender_name,
        senders.district_code,
        periods.dataset,
        periods.period,
        periods.opens_date,
        periods.due_date,
    from periods
    inner join senders
        on periods.sender_kind = senders.sender_kind
    where
        periods.due_date >= (select min(received_date) from receipts)
        and (
            periods.school_types is null
            or list_contains(string_split(periods.school_types, '|'), senders.school_type_code)
        )
        and coalesce(senders.opened_date <= periods.opens_date, true)
        and coalesce(senders.closed_date > periods.due_date, true)
),

came as (
    select
        receipts.sender_code,
        coalesce(senders.sender_kind, 'unknown') as sender_kind,
        coalesce(senders.sender_name, receipts.sender_code) as sender_name,
        senders.district_code,
        receipts.dataset,
        -- what nobody asked for is told by school year
        coalesce(
            periods.period, {{ school_year_label(school_year_of('receipts.received_date')) }}
        ) as period,
        periods.due_date,
        datasets.is_snapshot::boolean as is_snapshot,
        receipts.received_date,
        receipts.outcome in ('accepted', 'repeated') as is_accepted,
        receipts.outcome = 'repeated' as is_repeated,
        receipts.accepted_count,
        receipts.refused_count,
        min(receipts.received_date) filter (receipts.outcome in ('accepted', 'repeated'))
            over of_period
            as accepted_on,
        max(receipts.received_date) filter (receipts.outcome = 'accepted') over of_period as newest_on,
    from receipts
    inner join datasets
        on receipts.dataset = datasets.dataset
    left join senders
        on receipts.sender_code = senders.sender_code
    left join periods
        on
            receipts.dataset = periods.dataset
            and senders.sender_kind = periods.sender_kind
            and receipts.received_date >= periods.opens_date
            and receipts.received_date < periods.closes_date
    where receipts.outcome in ('accepted', 'repeated', 'held')
    window of_period as (
        partition by receipts.sender_code, receipts.dataset, coalesce(
            periods.period, {{ school_year_label(school_year_of('receipts.received_date')) }}
        )
    )
),

delivered as (
    select
        sender_code,
        sender_kind,
        sender_name,
        district_code,
        dataset,
        period,
        min(received_date) as delivered_on,
        any_value(accepted_on) as accepted_on,
        any_value(newest_on) as newest_on,
        -- of a whole list the newest one counts
        coalesce(
            sum(accepted_count) filter (
                is_accepted
                and (not is_snapshot or newest_on is null or (received_date = newest_on and not is_repeated))
            ), 0
        )::bigint as accepted_row_count,
        coalesce(sum(refused_count), 0)::bigint as refused_row_count,
        -- a list stated again, or anything that came after the due day
        count(*) filter (
            is_accepted
            and not is_repeated
            and received_date > accepted_on
            and (is_snapshot or received_date > due_date)
        )::integer as correction_count,
    from came
    group by all
),

acts as (select * from {{ ref('stg_ops__sign_off') }}),

signed as (
    select
        dataset,
        period,
        unit_code,
        stated_on as signed_on,
        case act
            when 'sign_district' then 'district' when 'sign_city' then 'city' when 'lock' then 'locked' else 'open'
        end as sign_off_state,
    from acts
    where act <> 'except' and newest_rank = 1
),

exceptions as (
    select
        dataset,
        period,
        unit_code,
        sender_code,
        until_date,
        reason,
    from acts
    where act = 'except' and newest_rank = 1
),

both_sides as (
    select
        coalesce(owed.sender_code, delivered.sender_code) as sender_code,
        coalesce(owed.sender_name, delivered.sender_name) as sender_name,
        coalesce(owed.sender_kind, delivered.sender_kind) as sender_kind,
        coalesce(owed.district_code, delivered.district_code) as district_code,
        coalesce(owed.dataset, delivered.dataset) as dataset,
        coalesce(owed.period, delivered.period) as period,
        owed.opens_date,
        owed.due_date,
        owed.sender_code is not null as is_expected,
        delivered.delivered_on,
        delivered.accepted_on,
        delivered.newest_on,
        coalesce(delivered.accepted_row_count, 0) as accepted_row_count,
        coalesce(delivered.refused_row_count, 0) as refused_row_count,
        coalesce(delivered.correction_count, 0) as correction_count,
    from owed
    full outer join delivered
        on
            owed.sender_code = delivered.sender_code
            and owed.dataset = delivered.dataset
            and owed.period = delivered.period
),

judged as (
    select
        both_sides.*,
        coalesce(signed.sign_off_state, 'open') as sign_off_state,
        signed.signed_on,
        coalesce(signed.sign_off_state <> 'open' and both_sides.newest_on > signed.signed_on, false)
            as is_changed_since_signed,
        coalesce(own.reason, common.reason) as exception_reason,
        coalesce(own.until_date, common.until_date) as exception_until,
        case
            when both_sides.accepted_on is not null and both_sides.correction_count > 0 then 'corrected'
            when both_sides.accepted_on is not null then 'accepted'
            when both_sides.delivered_on is not null then 'held'
            when both_sides.due_date >= {{ as_of_date() }} then 'due'
            when coalesce(own.until_date, common.until_date) >= {{ as_of_date() }} then 'excused'
            else 'missing'
        end as reporting_state,
        coalesce(
            greatest(coalesce(both_sides.accepted_on, {{ as_of_date() }}) - both_sides.due_date, 0), 0
        )::integer as days_late,
    from both_sides
    left join signed
        on
            both_sides.dataset = signed.dataset
            and both_sides.period = signed.period
            and coalesce(both_sides.district_code, both_sides.sender_code) = signed.unit_code
    left join exceptions as own
        on
            both_sides.dataset = own.dataset
            and both_sides.period = own.period
            and coalesce(both_sides.district_code, both_sides.sender_code) = own.unit_code
            and both_sides.sender_code = own.sender_code
    left join exceptions as common
        on
            both_sides.dataset = common.dataset
            and both_sides.period = common.period
            and coalesce(both_sides.district_code, both_sides.sender_code) = common.unit_code
            and common.sender_code is null
)

select
    judged.sender_code,
    judged.sender_name,
    judged.sender_kind,
    judged.district_code,
    datasets.feed,
    judged.dataset,
    datasets.dataset_zh,
    judged.period,
    judged.opens_date,
    judged.due_date,
    judged.is_expected,
    judged.delivered_on,
    judged.accepted_on,
    -- null: not due yet, or nobody asked for it
    case
        when judged.accepted_on is not null then judged.accepted_on <= judged.due_date
        when judged.due_date < {{ as_of_date() }} then false
    end as is_on_time,
    judged.reporting_state,
    states.meaning_zh as reporting_state_zh,
    judged.days_late,
    judged.accepted_on is null
    and judged.days_late > 0
    and coalesce(judged.exception_until < {{ as_of_date() }}, true) as is_late_now,
    judged.accepted_row_count,
    judged.refused_row_count,
    judged.correction_count,
    judged.sign_off_state,
    sign_off_states.meaning_zh as sign_off_state_zh,
    judged.signed_on,
    judged.is_changed_since_signed,
    judged.exception_reason,
    judged.exception_until,
from judged
inner join datasets
    on judged.dataset = datasets.dataset
left join {{ source('standards', 'reporting_state') }} as states
    on judged.reporting_state = states.code
left join {{ source('standards', 'sign_off_state') }} as sign_off_states
    on judged.sign_off_state = sign_off_states.code
