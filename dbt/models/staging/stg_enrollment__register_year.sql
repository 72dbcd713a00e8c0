-- one row per district: the first school year of which a register tells
select
    district_code,
    min({{ school_year_of('stated_on') }})::integer as register_school_year_start,
from {{ source('every_statement', 'clean_enrollment__school') }}
where stated_on <= {{ as_of_date() }}
group by district_code
