-- one row per write
with writes as (select * from {{ ref('stg_portal__figure_comment') }}),

districts as (select * from {{ ref('dim_district') }}),

roles as (select * from {{ source('standards', 'writer_role') }})

select
    writes.write_id,
    writes.district_code,
    districts.district_name_zh,
    writes.about_table,
    writes.about_key,
    writes.about_column,
    writes.about_release,
    writes.comment_text,
    writes.writer_role_code,
    roles.meaning_zh as writer_role_zh,
    writes.writer_unit_code,
    writes.writer_key,
    writes.written_date,
    writes.written_time,
from writes
left join districts
    on writes.district_code = districts.district_code
left join roles
    on writes.writer_role_code = roles.code
