"""The one home of metrics, as built: what it reads, what it says of sums, and who agrees with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jobs.declare import metrics
from jobs.publish import marts

Rows = Callable[[str], list[tuple[Any, ...]]]
HOME = marts.PROJECT / "models" / "marts" / "management" / "fct_metric_value.sql"


def test_the_home_names_every_model_that_metrics_are_counted_from() -> None:
    """dbt finds them by the macro; the pins of a build and whoever reads the file find them here."""
    named = " ".join(re.findall(r"-- depends_on: (.*)", HOME.read_text("utf-8")))
    assert set(re.findall(r"ref\('(\w+)'\)", named)) == {source["model"] for source in metrics.sources()}


def test_a_value_is_the_quotient_of_its_counts_or_has_a_reason(rows: Rows) -> None:
    assert (
        rows(
            "select distinct metric_code from fct_metric_value"
            " where (metric_value is null) <> (missing_reason is not null) or not (low_value <= high_value)"
        )
        == []
    )
    # 12 of the 19 who have a total are good; of the far school all five
    found = rows(
        "select unit_level, unit_code, period, metric_value, numerator, denominator, metric_flags"
        " from fct_metric_value where metric_code = 'fitness_good_or_excellent_rate'"
        " and value_basis = 'counted' and period_year = 2025"
        " and unit_level in ('school', 'city') and denominator > 0 order by unit_level, unit_code"
    )
    assert found == [
        ("city", "city", "2025-2026", Decimal("70.833333"), 17, 24, None),
        ("school", "2111000001", "2025-2026", Decimal("63.157895"), 12, 19, None),
        ("school", "2111000003", "2025-2026", Decimal(100), 5, 5, "small_number"),
    ]


def test_what_was_reported_without_counts_is_kept(rows: Rows) -> None:
    core = "capital_functional_core"
    found = rows(
        "select unit_level, unit_code, zone_code, period, metric_value, missing_reason"
        " from fct_metric_value where metric_code = 'smart_campus_coverage' and value_basis = 'reported'"
        " order by unit_level, period"
    )
    assert found == [
        ("city", "city", None, "2024", Decimal(80), None),
        ("city", "city", None, "2025", Decimal("87.5"), None),
        ("district", "110101", core, "2025", Decimal(88), None),
    ]


def test_a_zone_is_the_sum_of_its_districts_and_a_group_of_its_schools(rows: Rows) -> None:
    """Of counts, never of rates. A forecast's units are reconciled by its method and left out."""
    wrong = """
        with parts as (
            select metric_code, period, 'zone' as unit_level, zone_code as unit_code, numerator, denominator
            from fct_metric_value
            where unit_level = 'district' and value_basis = 'counted' and metric_code not like 'places%'
            union all
            select metric_code, period, 'group', school_group_code, numerator, denominator
            from fct_metric_value
            inner join brg_school_group_member on unit_level = 'school' and unit_code = school_code
        ),
        summed as (
            select metric_code, period, unit_level, unit_code, sum(numerator) as n, sum(denominator) as d
            from parts group by all having count(numerator) = count(*)
        )
        select summed.*, told.numerator, told.denominator
        from summed inner join fct_metric_value as told using (metric_code, period, unit_level, unit_code)
        where told.value_basis = 'counted' and (n, d) is distinct from (told.numerator, told.denominator)
    """
    assert rows(wrong) == []
    compared = rows("select distinct unit_level from fct_metric_value where unit_level in ('zone', 'group')")
    assert len(compared) == 2
