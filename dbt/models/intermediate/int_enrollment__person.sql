-- one row per token that stands for a person known by a lesser token too: a temporary number and the later one
{{ config(materialized='table') }}

with recursive links as (
    select person_token, linked_person_token
    from {{ source('lake', 'clean_enrollment__person_link') }}
    where recorded_at <= {{ known_at() }}
    qualify
        not is_withdrawn
        and row_number() over (
            partition by person_token, linked_person_token
            -- the bureau's word before evidence found
            order by link_reason_code = 'bureau' desc, stated_on desc, delivery_no desc, is_withdrawn desc
        ) = 1
),

edges as (
    select person_token as token, linked_person_token as other from links
    union all
    select linked_person_token, person_token from links
),

reached as (
    select token, other from edges
    union
    select reached.token, edges.other
    from reached
    inner join edges
        on reached.other = edges.token
)

select token as person_token, min(other) as pupil_key
from reached
group by token
having min(other) < token
