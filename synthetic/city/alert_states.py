"""What districts report about statutory alerts: seen, handled, false alarm, or not yet looked at.

An alert's number follows from rule, place and day (`safety.alerts.alert_id`), as in the lake's own list; one
that detection alone would raise, or moves, has no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from jobs.decide.safety.outbreaks import of_rules, outbreaks
from jobs.decide.safety.rules import load_rules, rule_hits
from synthetic.city.calendar import school_days
from synthetic.city.figures import districts
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.words import NAME_NUMBERS, person_names
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

_HEADINGS = ("预警编号", "处置状态", "状态日期", "处置人", "处置情况")
JURISDICTIONS = ("national", "Beijing")
_UNANSWERED, _FALSE, _SLOWEST_DAYS = 0.12, 0.08, 8


def write_alert_states(
    part: Part, term: int, received: date, reports: pd.DataFrame, class_sizes: Mapping[tuple[str, str], int]
) -> None:
    """One file a district and term, where there were alerts; `reports` as `rule_hits` wants them."""
    days = pd.DataFrame({"date": pd.to_datetime(sorted(school_days())), "is_open": True})
    hits = rule_hits(reports, load_rules(), days, jurisdictions=JURISDICTIONS, class_sizes=class_sizes)
    rows: list[list[Cell]] = []
    rng = stream(part.seed, Stream.ALERT_STATE, part.number, part.year, term)
    for alert in outbreaks(of_rules(hits), pd.Timestamp(received)).to_dict("records"):
        silent, false, wait, pace = rng.random(4).tolist()
        handler = person_names(rng.integers(0, NAME_NUMBERS, 1))[0]
        if silent < _UNANSWERED:
            continue
        day = alert["alert_date"].date() + timedelta(days=int(wait * 2))
        done = day + timedelta(days=1 + int(pace * _SLOWEST_DAYS))
        end, words = (
            ("误报", f"{handler}核实为登记错误")
            if false < _FALSE
            else ("已处置", f"{handler}已落实消毒和晨午检")
        )
        for state, on, remark in (("已阅", day, ""), (end, done, f"{handler}: {words}")):
            if on <= received:
                rows.append([alert["alert_id"], state, on.isoformat(), handler, remark])
    if rows:
        code, name = districts()[part.number].code, f"预警处置反馈_{part.year}-{part.year + 1}-{term}.csv"
        part.landing.put(
            "campus_safety", code, received, name, csv_bytes(_HEADINGS, rows, "gb18030"), len(rows)
        )
