-- What: two districts list the same school. When it matters: the newer statement decides where it belongs, and the
-- other district misses it. How to resolve: ask both; one register is out of date.
{{ config(severity='warn') }}

select school_code, count(*) as register_count, string_agg(sender_code, ', ' order by sender_code) as senders
from {{ source('newest_by_scope', 'clean_enrollment__school') }}
group by school_code
having count(*) > 1
