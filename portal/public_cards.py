"""The four cards for who may not see the officials': made of public tables alone, so that nothing which those
hide can stand on a card.
"""

from __future__ import annotations

from typing import Any

from jobs.declare import standards
from portal.snapshot import Snapshot

# Service -> the public table behind its card, the kind of chart, and one row: figure, what its label and
# period name, whether it is complete; then the points of the chart.
_PLACES = """
with told as (
    select * from pub_places_forecast_city where grade_span = 'all' and stage_code is null
)
select
    max_by(forecast_count, -lead_years)::decimal(18, 0) as figure,
    max_by(school_year, -lead_years) as named,
    max_by(school_year, -lead_years) as period,
    bool_and(is_base_complete) as is_complete,
    list({
        'x': school_year_start, 'y': forecast_count::double,
        'lower': lower_80_count::double, 'upper': upper_80_count::double
    } order by school_year_start) as points,
from told
where forecast_count is not null
"""
_EVALUATION = """
select
    count(*) filter (where is_met) as figure,
    count(*)::varchar as named,
    max(indicator_year)::varchar as period,
    null::boolean as is_complete,
    list(
        {'x': indicator_zh, 'y': round(100 * indicator_value / target_value, 1)::double} order by indicator_no
    ) filter (where target_value <> 0) as points,
from pub_plan_indicator
where is_newest_year and indicator_value is not null
"""
_FITNESS = """
select
    (100 * max_by(good_or_excellent_share, school_year_start))::decimal(18, 2) as figure,
    '' as named,
    max(school_year) as period,
    null::boolean as is_complete,
    list(
        {'x': school_year, 'y': (100 * good_or_excellent_share)::double} order by school_year_start
    ) as points,
from pub_fitness_district_year
where unit_level = 'city' and good_or_excellent_share is not null
"""
_SAFETY = """
select
    max_by(incident_count, school_year_start) as figure,
    '' as named,
    max(school_year) as period,
    null::boolean as is_complete,
    list({'x': school_year, 'y': incident_count::double} order by school_year_start) as points,
from pub_safety_district_year
where unit_level = 'city' and incident_count is not null
"""
_CARDS = {
    "places": ("pub_places_forecast_city", "fan", _PLACES),
    "evaluation": ("pub_plan_indicator", "bar", _EVALUATION),
    "fitness": ("pub_fitness_district_year", "bar", _FITNESS),
    "safety": ("pub_safety_district_year", "bar", _SAFETY),
}
# Where the public's figure is another one than the officials': (text, Chinese, English).
_OTHER = {
    ("safety", "figure_label"): ("学年内校园安全事件", "Incidents on campus in the school year"),
    ("safety", "definition"): (
        "该学年全市报告的校园安全事件数；过小的数字不予公开。",
        "Incidents of the city's schools reported in the school year; small counts are not shown.",
    ),
    ("safety", "figure_unit"): ("起", ""),
    ("safety", "period"): ("{} 学年", ""),
}


def cards(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The cards in their order; a service whose public table is missing, empty or hidden says so."""
    return [_card(snapshot, place, service) for place, service in enumerate(_CARDS, start=1)]


def _card(snapshot: Snapshot, place: int, service: str) -> dict[str, Any]:
    table, chart, query = _CARDS[service]
    found = None
    if table in snapshot.tables:
        with snapshot.asked() as cursor:
            found = cursor.execute(query).fetchone()
    figure, named, period, is_complete, points = found or (None, "", None, None, None)
    has_figure = figure is not None and period is not None
    return {
        "service": service,
        "sort_order": place,
        "title_zh": _text(service, "title")[0],
        "title_en": _text(service, "title")[1],
        "status": "ok" if has_figure else "no_data",
        "figure_value": figure if has_figure else None,
        "figure_unit_zh": _text(service, "figure_unit")[0],
        "figure_label_zh": _text(service, "figure_label")[0].format(named),
        "figure_label_en": _text(service, "figure_label")[1].format(named),
        "definition_zh": _text(service, "definition")[0],
        "definition_en": _text(service, "definition")[1],
        "period_label": _text(service, "period")[0].format(period) if has_figure else None,
        "as_of_date": snapshot.release.manifest["as_of_date"],
        "note_zh": None if has_figure else _text("all", "note_no_data")[0],
        "is_complete": is_complete if has_figure else None,
        "chart_kind": chart if has_figure else None,
        "series": points or [] if has_figure else [],
        "detail_table": table if table in snapshot.tables else None,
    }


def _text(service: str, text: str) -> tuple[str, str]:
    """The words of a card in Chinese and English."""
    if (service, text) in _OTHER:
        return _OTHER[service, text]
    for row in standards.rows("portal/texts"):
        if (row["service"], row["text"]) == (service, text):
            return row["zh"], row["en"]
    return "", ""
