-- one row per kind, level (district, city), district, stage and school year that the lake counts or a bulletin prints
with published as (select * from {{ ref('int_evaluation__control_published') }}),

counts as (select * from {{ ref('int_evaluation__control_count') }}),

traces as (select * from {{ ref('int_evaluation__control_evidence') }}),

misdated as (select * from {{ ref('int_evaluation__control_misdated') }}),

receipts as (select * from {{ ref('stg_ops__receipt') }}),

districts as (select * from {{ ref('dim_district') }}),

stages as (select * from {{ source('standards', 'stage') }}),

tolerances as (
    select * from {{ standard_in_force('control_tolerance', as_of_date()) }} as dated
),

counted as (
    select
        control_kind,
        if(grouping(district_code) = 1, 'city', 'district') as unit_level,
        district_code,
        school_year_start,
        stage_code,
        sum(counted_count)::integer as our_count,
    from counts
    where stage_code is not null
    group by
        grouping sets (
            (control_kind, district_code, school_year_start, stage_code),
            (control_kind, school_year_start, stage_code)
        )
    having grouping(district_code) = 1 or district_code is not null
),

held as (
    select
        control_kind,
        min(school_year_start) as first_year,
        max(school_year_start) as last_year,
    from counts
    group by control_kind
),

held_years as (select distinct control_kind, school_year_start from counts),

-- a district that was printed is asked for in the years after, too
newest as (
    select
        control_kind,
        max(school_year_start) as newest_year,
    from published
    group by control_kind
),

keys as (
    select control_kind, unit_level, district_code, school_year_start, stage_code from counted
    union
    select control_kind, unit_level, district_code, school_year_start, stage_code from published
    union
    select
        published.control_kind,
        published.unit_level,
        published.district_code,
        held_years.school_year_start,
        published.stage_code,
    from published
    inner join newest
        on published.control_kind = newest.control_kind and published.school_year_start = newest.newest_year
    inner join held_years
        on published.control_kind = held_years.control_kind and newest.newest_year < held_years.school_year_start
    where
        published.published_count > 0
        and published.district_code in (select counts.district_code from counts)
),

traced as (
    select
        control_kind,
        if(grouping(district_code) = 1, 'city', 'district') as unit_level,
        district_code,
        school_year_start,
        stage_code,
        sum(missing_school_count) as missing_school_count,
        sum(missing_school_pupil_count) as missing_school_pupil_count,
        sum(missing_grade_count) as missing_grade_count,
        sum(missing_grade_pupil_count) as missing_grade_pupil_count,
        sum(closed_count) as closed_count,
        sum(unregistered_count) as unregistered_count,
        sum(unmapped_count) as unmapped_count,
        sum(refused_line_count) as refused_line_count,
    from traces
    group by grouping sets (
        (control_kind, district_code, school_year_start, stage_code),
        (control_kind, school_year_start, stage_code)
    )
),

unplaced as (
    select
        control_kind,
        school_year_start,
        stage_code,
        sum(counted_count) as unplaced_count,
    from counts
    where district_code is null and stage_code is not null
    group by all
),

datasets (control_kind, dataset) as (
    values ('pupil', 'grade_return'), ('school', 'school_register'), ('teacher', 'staff_register')
),

last_sent as (
    select
        datasets.control_kind,
        receipts.sender_code as district_code,
        max(receipts.received_date) as received_date,
    from receipts
    inner join datasets
        on receipts.dataset = datasets.dataset
    group by all
),

compared as (
    select
        keys.control_kind,
        keys.unit_level,
        keys.district_code,
        keys.school_year_start,
        keys.stage_code,
        counted.our_count,
        published.published_count,
        published.source_document,
        published.published_date,
        coalesce(counted.our_count, 0) - published.published_count as difference_count,
        tolerances.warn_share::double as warn_share,
        tolerances.stop_share::double as stop_share,
        tolerances.least_difference::integer as least_difference,
        held.first_year,
        held.last_year,
        newest.newest_year,
        held_years.school_year_start is not null as is_year_held,
        -- something of the district and year is there, whatever the stage
        coalesce(bool_or(counted.our_count is not null) over district_year, false) as is_unit_held,
        coalesce(bool_or(counted.our_count is not null) over district_ever, false) as is_unit_known,
        misdated.matched_school_year_start as other_year,
        claimed.school_year_start as claimed_year,
        last_sent.received_date < {{ school_year_begins('keys.school_year_start') }} as is_unsent,
        coalesce(of_stage.missing_school_count, 0) as missing_school_count,
        coalesce(of_stage.missing_school_pupil_count, 0) as missing_school_pupil_count,
        coalesce(of_stage.missing_grade_count, 0) as missing_grade_count,
        coalesce(of_stage.missing_grade_pupil_count, 0) as missing_grade_pupil_count,
        coalesce(of_stage.closed_count, 0) as closed_count,
        coalesce(of_stage.unregistered_count, 0) as unregistered_count,
        coalesce(of_year.unmapped_count, 0) as unmapped_count,
        coalesce(of_year.refused_line_count, 0) as refused_line_count,
        if(keys.unit_level = 'district', coalesce(unplaced.unplaced_count, 0), 0) as unplaced_count,
    from keys
    left join counted
        on
            keys.control_kind = counted.control_kind
            and keys.unit_level = counted.unit_level
            and keys.district_code is not distinct from counted.district_code
            and keys.school_year_start = counted.school_year_start
            and keys.stage_code = counted.stage_code
    left join published
        on
            keys.control_kind = published.control_kind
            and keys.unit_level = published.unit_level
            and keys.district_code is not distinct from published.district_code
            and keys.school_year_start = published.school_year_start
            and keys.stage_code = published.stage_code
    left join tolerances
        on keys.control_kind = tolerances.control_kind
    left join held
        on keys.control_kind = held.control_kind
    left join held_years
        on keys.control_kind = held_years.control_kind and keys.school_year_start = held_years.school_year_start
    left join newest
        on keys.control_kind = newest.control_kind
    left join misdated
        on
            keys.control_kind = misdated.control_kind
            and keys.district_code = misdated.district_code
            and keys.school_year_start = misdated.school_year_start
    -- the year whose place the figures of this one took
    left join misdated as claimed
        on
            keys.control_kind = claimed.control_kind
            and keys.district_code = claimed.district_code
            and keys.school_year_start = claimed.matched_school_year_start
    left join last_sent
        on keys.control_kind = last_sent.control_kind and keys.district_code = last_sent.district_code
    left join traced as of_stage
        on
            keys.control_kind = of_stage.control_kind
            and keys.unit_level = of_stage.unit_level
            and keys.district_code is not distinct from of_stage.district_code
            and keys.school_year_start = of_stage.school_year_start
            and keys.stage_code = of_stage.stage_code
    left join traced as of_year
        on
            keys.control_kind = of_year.control_kind
            and keys.unit_level = of_year.unit_level
            and keys.district_code is not distinct from of_year.district_code
            and keys.school_year_start = of_year.school_year_start
            and of_year.stage_code is null
    left join unplaced
        on
            keys.control_kind = unplaced.control_kind
            and keys.school_year_start = unplaced.school_year_start
            and keys.stage_code = unplaced.stage_code
    window
        district_year as (
            partition by keys.control_kind, keys.unit_level, keys.district_code, keys.school_year_start
        ),
        district_ever as (partition by keys.control_kind, keys.unit_level, keys.district_code)
    -- two years of one district may look like a third
    qualify
        row_number() over (
            partition by
                keys.control_kind, keys.unit_level, keys.district_code, keys.school_year_start, keys.stage_code
            order by claimed.school_year_start
        ) = 1
),

lost as (
    select
        *,
        published_count > 0 and our_count is null and is_year_held as is_lost,
        coalesce(sum((published_count > 0 and our_count is null and is_unit_known)::integer) over of_stage_year, 0)
            as lost_district_count,
        coalesce(bool_or(other_year is not null) over of_stage_year, false) as is_any_misdated,
        abs(difference_count) as apart_count,
        abs(difference_count) / nullif(published_count, 0) as apart_share,
    from compared
    window
        of_stage_year as (partition by control_kind, school_year_start, stage_code)
),

reasoned as (
    select
        *,
        case
            when other_year is not null and coalesce(difference_count != 0, true) then 'wrong_year'
            when published_count is null
                then
                    case
                        when our_count is not null or not is_year_held or unit_level = 'city' then null
                        when is_unsent then 'late_delivery'
                        when not is_unit_held then 'district_missing'
                        else 'stage_missing'
                    end
            when our_count is null and published_count > 0
                then
                    case
                        when school_year_start < first_year or first_year is null then null
                        when claimed_year is not null then 'wrong_year'
                        when school_year_start > last_year then 'not_delivered'
                        when not is_year_held then 'year_missing'
                        when not is_unit_known then 'unit_unknown'
                        when is_unit_held and unmapped_count >= apart_count / 2 then 'stage_unmapped'
                        when is_unit_held or unit_level = 'city' then 'stage_missing'
                        when is_unsent then 'late_delivery'
                        else 'district_missing'
                    end
            when difference_count = 0 then null
            when unit_level = 'city' and lost_district_count > 0 and difference_count < 0 then 'district_missing'
            when unit_level = 'city' and is_any_misdated then 'wrong_year'
            when difference_count < 0
                then
                    case
                        when unmapped_count >= apart_count / 2 then 'stage_unmapped'
                        when unplaced_count >= apart_count / 2 then 'district_unmapped'
                        -- no more grades are missing than lines of those files were refused, whole schools or not
                        when
                            missing_grade_pupil_count >= apart_count / 2
                            and missing_grade_count <= refused_line_count
                            then 'lines_refused'
                        when control_kind = 'pupil' and missing_school_pupil_count >= apart_count / 2
                            then 'schools_missing'
                        when missing_grade_pupil_count >= apart_count / 2 then 'grades_missing'
                        when control_kind != 'pupil' and refused_line_count >= apart_count then 'lines_refused'
                        when control_kind = 'teacher' and missing_school_count > 0 then 'schools_missing'
                        when control_kind = 'school' and unregistered_count >= apart_count / 2
                            then 'schools_unregistered'
                        else 'unexplained'
                    end
            when closed_count >= apart_count / 2 then 'closed_counted'
            else 'unexplained'
        end as reason,
    from lost
),

judged as (
    select
        *,
        case
            when reason = 'wrong_year' and unit_level = 'district' then 'stops'
            when published_count is null
                then
                    case
                        when reason is not null then 'warns'
                        when school_year_start > newest_year then 'not_published'
                        else 'no_control'
                    end
            when our_count is null and published_count > 0
                then
                    case
                        when reason is null then 'not_held'
                        when reason in ('not_delivered', 'unit_unknown') then 'warns'
                        when apart_count <= least_difference then 'warns'
                        else 'stops'
                    end
            when difference_count = 0 then 'agrees'
            when apart_share > warn_share or published_count = 0
                then
                    case
                        when apart_count <= least_difference then 'agrees'
                        -- what an accepted file lost was weighed when it was accepted, and its sender knows it
                        when reason = 'lines_refused' then 'warns'
                        when apart_share > stop_share or published_count = 0 then 'stops'
                        else 'warns'
                    end
            else 'agrees'
        end as verdict,
    from reasoned
)

select
    judged.control_kind,
    judged.unit_level,
    judged.district_code,
    districts.district_name_zh,
    judged.stage_code,
    stages.meaning_zh as stage_zh,
    judged.school_year_start,
    {{ school_year_label('judged.school_year_start') }} as school_year,
    judged.our_count,
    judged.published_count,
    case when judged.verdict != 'not_held' then judged.difference_count end as difference_count,
    case
        when judged.verdict != 'not_held'
            then (judged.difference_count / nullif(judged.published_count, 0))::decimal(12, 4)
    end as difference_share,
    judged.verdict as control_verdict,
    judged.reason as control_reason,
    case judged.reason
        when 'wrong_year' then coalesce(judged.other_year, judged.claimed_year)
    end::integer as matched_school_year_start,
    case judged.reason
        when 'district_missing' then if(judged.unit_level = 'city', judged.lost_district_count, null)
        when 'stage_unmapped' then judged.unmapped_count
        when 'district_unmapped' then judged.unplaced_count
        when 'schools_missing' then judged.missing_school_count
        when 'grades_missing' then judged.missing_grade_count
        when 'lines_refused' then judged.refused_line_count
        when 'schools_unregistered' then judged.unregistered_count
        when 'closed_counted' then judged.closed_count
    end::integer as control_reason_count,
    judged.source_document,
    judged.published_date,
from judged
left join districts
    on judged.district_code = districts.district_code
left join stages
    on judged.stage_code = stages.code
