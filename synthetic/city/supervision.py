"""What the supervision office recorded: steps issued about the plan's indicators, and what came of them."""

from __future__ import annotations

from datetime import date
from typing import Any

from jobs.declare import standards
from synthetic.city.figures import districts
from synthetic.city.forms import Dress, fill, send
from synthetic.city.indicators import (
    BY_REGISTERS,
    FIRST_INDICATOR_YEAR,
    Value,
    first_figures_on,
    indicator_values,
)
from synthetic.city.part import Part

CITY = "110000"
_DRESS = Dress("xlsx", in_words=True, days="dashed", has_title=True)
_COLUMNS = (
    *("district_code", "supervised_metric_code", "supervision_step_code", "supervision_action_kind_code"),
    *("action_date", "supervision_document_number", "action_reason"),
)


def write_supervision_actions(part: Part) -> None:
    """The office's record, handed in with the newest delivery; none before that year's indicators are known.

    Four stories, each of the district that fits best: far behind and warned twice, so that the next step is
    due; behind before, now there, and recorded as rectified; the same without a record, so that it stays; and
    one whose warning was lifted, though it is behind again.
    """
    newest = part.newest
    if newest < first_figures_on(newest.year):
        return
    years = range(FIRST_INDICATOR_YEAR, newest.year + 1)
    rows = actions(part.once("indicators", lambda: indicator_values(part.seed, years)), newest)
    if rows:
        columns = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
        filled = fill("supervision_action", columns, _DRESS)
        name = f"教育督导处理记录_{newest.year}"
        send(part.landing, "supervision_action", CITY, newest, name, filled, _DRESS)


def actions(values: list[Value], newest: date) -> list[tuple[Any, ...]]:
    """Rows by `_COLUMNS`; the year whose values are known is the newest one."""
    behind = _behind(values)
    year = newest.year
    far = [key for key in behind if behind[key].get(year, 0) > 0 and behind[key].get(year - 1, 0) > 0]
    over = [key for key in behind if behind[key].get(year, 0) == 0 and behind[key].get(year - 1, 0) > 0]
    if len(far) < 2 or len(over) < 2:
        return []
    far.sort(key=lambda key: (-behind[key][year], key))
    over.sort(key=lambda key: (-behind[key][year - 1], key))
    worst, again = far[0], far[1]
    mended, silent = over[0], over[1]
    last = year - 1
    told = [
        (worst, "warning", "issued", date(last, 4, 10), 1, None),
        (worst, "reminder", "issued", date(year, 4, 9), 2, None),
        (mended, "warning", "issued", date(year, 4, 9), 3, None),
        (mended, "warning", "rectified", date(year, 10, 20), 4, "整改方案已完成，经现场核查达到应达值"),
        (silent, "warning", "issued", date(year, 4, 9), 5, None),
        (again, "warning", "issued", date(last, 4, 10), 6, None),
        (again, "warning", "lifted", date(last, 12, 5), 7, "当年经复核达到进度要求，予以解除"),
    ]
    return [
        (districts()[district].code, code, step, kind, day, f"京教督〔{day.year}〕{number}号", reason)
        for (district, code), step, kind, day, number, reason in told
        if day < newest
    ]


def _behind(values: list[Value]) -> dict[tuple[int, str], dict[int, float]]:
    """District and indicator -> year -> how far behind the target, of the target's value."""
    plan = standards.rows("evaluation/plan_indicators")
    target = {row["indicator_code"]: float(row["target_value"]) for row in plan}
    found: dict[tuple[int, str], dict[int, float]] = {}
    for value in values:
        if value.code in BY_REGISTERS:  # the districts' own registers and checks say it, not these values
            continue
        gap = max(0.0, 1 - value.value / target[value.code])
        found.setdefault((value.district, value.code), {})[value.year] = gap
    return found
