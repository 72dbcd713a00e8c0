-- one row per pupil and school year: the scores of the upload that counts
{{ config(materialized='table') }}

select
    * exclude (
        valid_from, valid_to, stated_on, delivery_no, recorded_at, is_withdrawn, scope_key,
        _delivery_id, _file_sha256, _line_number, _batch_id
    ),
from {{ source('newest_by_scope', 'decision_fitness__score') }}
