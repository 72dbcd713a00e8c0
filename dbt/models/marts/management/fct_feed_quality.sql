-- one row per sender, feed and dataset: what was handed in, and what became of it
with receipts as (select * from {{ ref('stg_ops__receipt') }}),

schools as (select * from {{ ref('dim_school') }}),

districts as (select * from {{ ref('dim_district') }}),

counted as (
    select
        receipts.feed,
        coalesce(receipts.dataset, 'unknown') as dataset,
        receipts.sender_code,
        coalesce(schools.school_name, districts.district_name_zh, receipts.sender_code) as sender_name,
        -- null: a sender of the whole city
        coalesce(schools.district_code, districts.district_code) as district_code,
        count(*)::integer as file_count,
        (count(*) filter (where receipts.outcome = 'accepted'))::integer as accepted_file_count,
        (count(*) filter (where receipts.outcome = 'held'))::integer as held_file_count,
        (count(*) filter (where receipts.outcome = 'refused'))::integer as refused_file_count,
        (count(*) filter (where receipts.outcome = 'repeated'))::integer as repeated_file_count,
        coalesce(sum(receipts.line_count), 0)::bigint as line_count,
        coalesce(sum(receipts.accepted_count), 0)::bigint as accepted_row_count,
        coalesce(sum(receipts.flagged_count), 0)::bigint as flagged_row_count,
        coalesce(sum(receipts.refused_count), 0)::bigint as refused_row_count,
        max(receipts.received_date) as last_received_date,
    from receipts
    left join schools
        on receipts.sender_code = schools.school_code
    left join districts
        on receipts.sender_code = districts.district_code
    group by all
)

select
    * exclude (last_received_date),
    {{ metric_share('refused_row_share') }} as refused_row_share,
    last_received_date,
from counted
