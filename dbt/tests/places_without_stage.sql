-- What: places of an open school that no pupil attends belong to no stage, and so to no district's supply.
-- When it matters: fct_places_gap shows too few places. How to resolve: the school's grade return is missing.
{{ config(severity='warn') }}

select schools.school_code, schools.district_code, schools.place_count
from {{ ref('dim_school') }} as schools
left join {{ ref('stg_places__supply') }} as parted
    on schools.school_code = parted.school_code
where
    schools.is_registered and schools.is_open and schools.place_count > 0 and parted.school_code is null
    and exists (select 1 from {{ ref('stg_places__supply') }})
