-- one row per unit and calendar year
select unit_code, birth_year, birth_count
from {{ source('newest_by_scope', 'clean_places__birth') }}
