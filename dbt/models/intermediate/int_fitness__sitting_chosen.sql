-- one row per pupil and school year: the sitting that stands, a retest with a total before the first
{{ config(materialized='table') }}

with sittings as (select * from {{ ref('stg_fitness__score') }})

select
    * exclude (level),
    level as fitness_level,
    first_value(total_score) over (
        partition by pupil_key, school_year_start
        order by is_retest, test_date nulls last, school_code
    ) as first_total_score,
    count(*) filter (where is_retest) over (partition by pupil_key, school_year_start) > 0 as has_retest,
from sittings
qualify
    row_number() over (
        partition by pupil_key, school_year_start
        order by is_retest and total_score is not null desc, is_retest, test_date desc nulls last, school_code
    ) = 1
