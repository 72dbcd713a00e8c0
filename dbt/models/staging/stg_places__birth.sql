-- one row per unit and calendar year
with statements as ({{ in_force('clean_places__birth') }})

select unit_code, birth_year, birth_count
from statements
