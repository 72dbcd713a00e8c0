-- one row per level, unit, school year, grade (or all) and sex (or all): poor vision, screened myopia, same pupils
with eyes as (select * from {{ ref('int_fitness__eye_examined') }}),

followed as (
    select
        now.*,
        before.is_examined as was_examined,
        before.is_poor as was_poor,
        before.is_refracted as was_refracted,
        before.is_myopic as was_myopic,
    from eyes as now
    left join eyes as before
        on
            now.pupil_key = before.pupil_key
            and now.school_year_start = before.school_year_start + 1
),

counted as (
    select
        {{ fitness_cube_columns() }},
        count(*) as given_count,
        count(*) filter (where is_examined) as vision_examined_count,
        count(*) filter (where is_poor) as poor_vision_count,
        count(*) filter (where vision_class = 'mild') as mild_count,
        count(*) filter (where vision_class = 'moderate') as moderate_count,
        count(*) filter (where vision_class = 'severe') as severe_count,
        count(*) filter (where is_refracted) as refracted_count,
        count(*) filter (where is_myopic) as myopic_count,
        count(*) filter (where eyewear_code is not null) as eyewear_known_count,
        count(*) filter (where eyewear_code <> '0') as eyewear_count,
        count(*) filter (where has_unmapped_code) as unmapped_count,
        count(*) filter (where is_district_unmapped) as unplaced_count,
        count(*) filter (where is_sex_unmapped) as sex_unmapped_count,
        count(*) filter (where is_examined and was_examined) as followed_count,
        count(*) filter (where is_examined and was_poor) as poor_before_count,
        count(*) filter (where is_poor and was_examined) as poor_now_count,
        count(*) filter (where is_examined and not was_poor) as fine_before_count,
        count(*) filter (where is_poor and not was_poor) as newly_poor_count,
        count(*) filter (where is_refracted and not was_myopic) as not_myopic_before_count,
        count(*) filter (where is_myopic and not was_myopic) as newly_myopic_count,
    from followed
    group by {{ fitness_cube() }}
),

flagged as (
    select * replace (unmapped_count + {{ fitness_may_belong() }} as unmapped_count) from counted
)

select
    {{ fitness_cell('flagged') }},
    vision_examined_count::integer as vision_examined_count,
    (given_count - vision_examined_count)::integer as unusable_vision_count,
    poor_vision_count::integer as poor_vision_count,
    {{ metric_share('poor_vision_share') }} as poor_vision_share,
    {{ metric_bound('poor_vision_share', 'low') }} as poor_vision_low_share,
    {{ metric_bound('poor_vision_share', 'high') }} as poor_vision_high_share,
    {{ share('mild_count', 'vision_examined_count') }} as mild_vision_share,
    {{ share('moderate_count', 'vision_examined_count') }} as moderate_vision_share,
    {{ share('severe_count', 'vision_examined_count') }} as severe_vision_share,
    unmapped_count::integer as unmapped_count,
    refracted_count::integer as refracted_count,
    myopic_count::integer as myopic_count,
    {{ metric_share('screened_myopia_share') }} as myopic_share,
    {{ metric_bound('screened_myopia_share', 'low') }} as myopic_low_share,
    {{ metric_bound('screened_myopia_share', 'high') }} as myopic_high_share,
    {{ share('eyewear_count', 'eyewear_known_count') }} as eyewear_share,
    followed_count::integer as followed_count,
    {{ share('poor_before_count', 'followed_count') }} as poor_vision_before_share,
    {{ share('poor_now_count', 'followed_count') }} as poor_vision_now_share,
    {{ share('newly_poor_count', 'fine_before_count') }} as newly_poor_share,
    {{ share('newly_myopic_count', 'not_myopic_before_count') }} as newly_myopic_share,
    {{ rate_status('vision_examined_count', 'unmapped_count') }} as rate_status,
from flagged
where {{ fitness_unit_known() }}
