-- What: an alert that wastes a person's time. When it matters: who meets a few of them reads no others. How to
-- resolve: `fault` says which promise is broken; the makers are in jobs/decide/safety.
with alerts as (select * from {{ ref('fct_safety_alert') }} where alert_state != 'joined'),

-- evidence of an outbreak lists the rules that found it
outbreaks as (
    select
        *,
        coalesce(class_name, '') as class_key,
    from alerts
    where json_valid(evidence) and json_exists(evidence, '$.alarm_days')
)

select alert_id, 'due before it was raised' as fault
from alerts
where due_date < raised_date or raised_date < alert_date
union all
select alert_id, 'a chance of nothing' as fault
from alerts
where p_value <= 0
union all
select alert_id, 'less than its rule asks' as fault
from outbreaks
where observed_count < upper_bound_count
union all
select alert_id, 'one child, and no rule says that one suffices' as fault
from outbreaks
where observed_count < 2 and (p_value is not null or upper_bound_count > 1)
union all
select later.alert_id, 'the same outbreak again' as fault
from outbreaks as later
inner join outbreaks as earlier
    on
        later.alert_unit_code = earlier.alert_unit_code
        and later.class_key = earlier.class_key
        and later.condition_code = earlier.condition_code
        and later.alert_id > earlier.alert_id
        and later.alert_date <= earlier.last_date + 4
        and earlier.alert_date <= later.last_date + 4
