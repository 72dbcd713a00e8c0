"""The places report: one HTML file with fan charts, gap maps and the wave; nothing asked from outside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from jobs import declare, origin
from jobs.decide.places.rows import rows_of
from jobs.files import OUTPUT_MODE, replacing
from jobs.settings import ROOT

_STYLE = ROOT / "jobs" / "page.css"
STAGES = {"kindergarten": "幼儿园", "primary": "小学", "junior": "初中", "senior": "高中"}
_SHORT, _IDLE, _PAPER = (181, 86, 47), (29, 78, 99), (240, 238, 231)
_WARNING_ZH = {"red": "红", "orange": "橙", "yellow": "黄", "blue": "蓝"}
_DIRECTION_ZH = {"shortage": "短缺", "surplus": "富余"}
CITY = "total"
_CHART = re.compile(r'<svg viewBox="0 0 (\S+) (\S+)"(.*?)</svg>', re.DOTALL)


@dataclass(frozen=True)
class Findings:
    """What the page draws: frames of the published decisions.

    `past`: grade_key, school_year_start, pupil_count of the unit. `forecast`: those keys, with stages and
    `all` as grades too, and the four bounds. `gap`: district and city rows of the gap. `vintages`: origin,
    lead, forecast, pupil_count, error_percent of the city's forecasts whose year has come. `errors`:
    grade_key, lead, mape_percent, coverage_80_share of the level shown, of forecasts made again. `outlines`:
    GeoJSON of the districts, or None where the site brings no map.
    """

    site: str
    day: date
    unit: str
    past: pd.DataFrame
    forecast: pd.DataFrame
    gap: pd.DataFrame
    vintages: pd.DataFrame
    errors: pd.DataFrame
    outlines: dict[str, Any] | None
    is_synthetic: bool = False


def write(found: Findings, target: Path) -> None:
    """Write the page; a reader never sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, OUTPUT_MODE) as fresh:
        fresh.write_text(page(found), encoding="utf-8")


def page(found: Findings) -> str:
    """The whole page as text; the same findings give the same text."""
    whose = "全市 the city" if found.unit == CITY else found.unit
    credit = found.outlines.get("source") if found.outlines else None
    body = "".join(_sections(found, whose))
    banner = ""
    if found.is_synthetic:
        banner = f'<p class="origin frame" role="note">{escape(origin.LINE)}</p>'
        body = _CHART.sub(_marked, body)
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>学位预测报告 Places report</title><style>{_STYLE.read_text('utf-8')}</style></head><body>"
        f'<header><div class="frame"><p class="kicker">{escape(found.site)} · {found.day}</p>'
        "<h1>学位预测与余缺 School places: forecast and gap</h1></div></header>"
        f'{banner}<main class="frame">{body}</main>'
        f'<footer class="frame">{f"区界 district borders: {escape(str(credit))}" if credit else ""}</footer>'
        "</body></html>\n"
    )


def _marked(chart: re.Match[str]) -> str:
    """The chart with a line below it that says what it is made of: it is copied without the page."""
    width, height, inner = float(chart[1]), float(chart[2]), chart[3]
    said = (
        f'<text class="quiet" x="{width - 4:g}" y="{height + 12:g}" text-anchor="end">'
        f"{origin.SHORT_ZH} {origin.SHORT_EN}</text>"
    )
    return f'<svg viewBox="0 0 {width:g} {height + 18:g}"{inner}{said}</svg>'


def _sections(found: Findings, whose: str) -> list[str]:
    fans = "".join(f"<figure>{fan(found, stage)}</figure>" for stage in STAGES)
    years = sorted(found.gap["school_year_start"].unique())
    year = int(years[min(len(years) - 1, 3)]) if years else 0
    outlines = found.outlines
    maps = "本站没有区界地图 This site brings no map."
    if outlines:
        maps = "".join(f"<figure>{gap_map(found.gap, outlines, stage, year)}</figure>" for stage in STAGES)
    return [
        _section(
            f"各学段在校生预测 Fan charts · {whose}",
            "深色为 80% 区间, 浅色为 90% 区间。Dark: the 80 % interval; light: 90 %.",
            f'<div class="small">{fans}</div>',
        ),
        _section(
            f"{year} 年各区学位余缺 Gap of places by district",
            "蓝为富余, 橙为短缺, 颜色为余缺占学位的比例; 区界仅供分析。"
            "Blue is idle, orange is lacking, by share of the places.",
            f'<div class="small">{maps}</div>',
        ),
        _section(
            f"生源高峰穿过各年级 The wave through the grades · {whose}",
            "虚线右侧为预测, 颜色相对于该年级各年平均。"
            "Right of the dashed line is forecast; color against the grade's mean.",
            wave(found),
        ),
        _section(
            "预警 Warnings",
            "按规则文件的概率与比例分级。By the probability and share of the settings.",
            _table(
                ("区 district", "学段 stage", "学年 year", "预警 warning", "余缺 gap"), _warnings(found.gap)
            ),
        ),
        _section(
            "这样的预测以往差多少 How far such forecasts missed",
            "用同一方法在往年重做预测, 与后来的实际人数相比; "
            + ("全市合计。" if found.unit == CITY else "各区平均。")
            + "括号内为 80% 区间覆盖的比例。The same method in past years against what came, "
            + ("the whole city" if found.unit == CITY else "mean of the districts")
            + "; in brackets how often the 80 % interval held.",
            _errors(found.errors),
        ),
        _section(
            "往年预测的误差 Errors of past forecasts",
            "每次预测都留存; 目标学年已到的才能比较。"
            "Each forecast is kept; those whose year has come are compared.",
            _table(
                ("起报学年 origin", "提前 lead", "预测 forecast", "实际 actual", "误差 error %"),
                [
                    (
                        *(str(r.origin), str(r.lead), f"{r.forecast:,.0f}", f"{r.pupil_count:,.0f}"),
                        f"{r.error_percent:+.2f}",
                    )
                    for r in rows_of(found.vintages.sort_values(["origin", "lead"]))
                ]
                or [("尚无 none yet", "", "", "", "")],
            ),
        ),
    ]


def _errors(errors: pd.DataFrame) -> str:
    """A line for each stage and all grades, a column for each year ahead."""
    leads = sorted(int(lead) for lead in errors["lead"].unique())
    told = {
        (r.grade_key, int(r.lead)): f"{r.mape_percent:.1f} % ({r.coverage_80_share:.0%})"
        for r in rows_of(errors)
    }
    names = {"all": "全部 all"} | {stage: f"{zh} {stage}" for stage, zh in STAGES.items()}
    rows = [
        (names[key], *(told.get((key, lead), "") for lead in leads))
        for key in (*STAGES, "all")
        if any((key, lead) in told for lead in leads)
    ]
    headings = ("提前年数 years ahead", *(str(lead) for lead in leads))
    return _table(headings, rows or [("尚无 none yet",)])


def _section(title: str, about: str, body: str) -> str:
    return (
        f'<section class="wide"><h2>{escape(title)}</h2><p class="about">{escape(about)}</p>{body}</section>'
    )


def _svg(width: float, height: float, name: str, body: str) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(name)}">{body}</svg>'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _grades() -> list[Mapping[str, str]]:
    return sorted(declare.code_list("grade").rows, key=lambda row: int(row["ladder_year"]))


def fan(found: Findings, stage: str) -> str:
    """Pupils of a stage: what stood, the forecast, and both intervals around it."""
    own = {row["code"] for row in _grades() if row["stage_code"] == stage}
    past = found.past[found.past["grade_key"].isin(own)].groupby("school_year_start")["pupil_count"].sum()
    ahead = found.forecast[found.forecast["grade_key"] == stage].sort_values("school_year_start")
    if past.empty or ahead.empty:
        return f"<p>{STAGES[stage]} {stage}: 无数据 no data</p>"
    years = [*past.index.tolist(), *ahead["school_year_start"].tolist()]
    most = max(float(past.max()), float(ahead["upper_90"].max())) * 1.08
    left, top, width, height = 52.0, 24.0, 330.0, 170.0

    def at(year: float, count: float) -> str:
        x = left + (year - min(years)) / max(max(years) - min(years), 1) * width
        return f"{x:.1f},{top + height * (1 - count / most):.1f}"

    last, count = int(past.index[-1]), float(past.iloc[-1])
    marks = [f'<text x="4" y="14" style="font-weight:600">{STAGES[stage]} {stage}</text>']
    for step in (0.0, 0.5, 1.0):
        y = top + height * (1 - step / 1.08)
        marks.append(
            f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dedbd2"/>'
            f'<text class="quiet" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">'
            f"{step * most / 1.08:,.0f}</text>"
        )
    for share, color in (("90", "#cfdde1"), ("80", "#94b3bd")):
        upper = [at(r.school_year_start, getattr(r, f"upper_{share}")) for r in rows_of(ahead)]
        lower = [at(r.school_year_start, getattr(r, f"lower_{share}")) for r in rows_of(ahead)]
        marks.append(
            f'<polygon points="{" ".join([at(last, count), *upper, *lower[::-1]])}" fill="{color}"/>'
        )
    line = " ".join(at(float(str(year)), n) for year, n in past.items())
    expected = " ".join([at(last, count), *(at(r.school_year_start, r.forecast) for r in rows_of(ahead))])
    marks.append(f'<polyline points="{line}" fill="none" stroke="#1c262c" stroke-width="2"/>')
    marks.append(
        f'<polyline points="{expected}" fill="none" stroke="#1d4e63" stroke-width="2"'
        ' stroke-dasharray="5 3"/>'
    )
    peak = max(rows_of(ahead), key=lambda r: r.forecast)
    across, up = at(peak.school_year_start, peak.forecast).split(",")
    marks.append(f'<circle cx="{across}" cy="{up}" r="3.5" fill="#b5562f"/>')
    for year in (years[0], last, years[-1]):
        across = at(year, 0).split(",")[0]
        marks.append(
            f'<text class="quiet" x="{across}" y="{top + height + 16}" text-anchor="middle">{year}</text>'
        )
    label = f"峰值 peak {int(peak.school_year_start)}: {peak.forecast:,.0f}"
    marks.append(f'<text class="quiet" x="{left + width}" y="14" text-anchor="end">{label}</text>')
    return _svg(left + width + 22, top + height + 24, f"pupils of {stage} schools", "".join(marks))


def shade(share: float) -> str:
    """Paper at no gap, to the color of idle (above) or lacking places (below) at 40 % of the places."""
    part = min(abs(share) / 0.4, 1.0)
    end = _IDLE if share > 0 else _SHORT
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_PAPER, end, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def gap_map(gap: pd.DataFrame, outlines: Mapping[str, Any], stage: str, year: int) -> str:
    """Districts colored by places less pupils, as a share of the places; gray where nothing is known."""
    mine = gap[
        (gap["level"] == "district") & (gap["stage_code"] == stage) & (gap["school_year_start"] == year)
    ]
    surplus = dict(zip(mine["unit_code"], mine["surplus"], strict=True))
    places = dict(zip(mine["unit_code"], mine["places"], strict=True))
    names = {row["code"]: row["meaning_zh"] for row in declare.code_list("district").rows}
    features = outlines["features"]
    points = [p for feature in features for polygon in _polygons(feature) for p in polygon[0]]
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = 380 / ((east - west) * squeeze)
    marks, labels = [f'<text x="4" y="16" style="font-weight:600">{STAGES[stage]} {stage}</text>'], []
    for feature in features:
        code = str(feature["id"])
        rings = [ring for polygon in _polygons(feature) for ring in polygon]
        path = "".join(
            "M"
            + "L".join(
                f"{10 + (p[0] - west) * squeeze * scale:.1f},{10 + (north - p[1]) * scale:.1f}" for p in ring
            )
            + "Z"
            for ring in rings
        )
        known = code in surplus
        share = surplus[code] / places[code] if known and places[code] else 0.0
        label = (
            f"{names.get(code, code)} {surplus[code]:+,.0f}" if known else f"{names.get(code, code)} 无数据"
        )
        marks.append(
            f'<path d="{path}" fill="{shade(share) if known else "#bbb"}" stroke="#fff" fill-rule="evenodd">'
            f"<title>{escape(label)}</title></path>"
        )
        told_of = feature["properties"]
        if known and told_of.get("area_km2", 0) > 700:  # the title names the small ones
            x = 10 + (told_of["label_lon"] - west) * squeeze * scale
            y = 10 + (north - told_of["label_lat"]) * scale
            ink = "#fff" if abs(share) > 0.22 else "#1c262c"
            labels.append(
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" style="fill:{ink};font-size:10px">'
                f"{escape(label)}</text>"
            )
    return _svg(400, round(20 + (north - south) * scale), f"gap of {stage} places", "".join(marks + labels))


def _polygons(feature: Mapping[str, Any]) -> list[Any]:
    """The polygons of a GeoJSON feature, each a list of rings."""
    shape = feature["geometry"]
    return [shape["coordinates"]] if shape["type"] == "Polygon" else list(shape["coordinates"])


def wave(found: Findings) -> str:
    """Grades by years, what stood and what is forecast, each against the grade's own mean."""
    table: dict[tuple[str, int], float] = {
        (r.grade_key, int(r.school_year_start)): float(r.pupil_count) for r in rows_of(found.past)
    }
    keys = [row["code"] for row in _grades()]
    ahead = found.forecast[found.forecast["grade_key"].isin(keys)]
    table |= {(r.grade_key, int(r.school_year_start)): float(r.forecast) for r in rows_of(ahead)}
    years = sorted({year for _, year in table})
    origin = int(found.forecast["origin"].max())
    wide, tall, left = 54, 21, 104
    marks = []
    for at, row in enumerate(reversed(_grades())):
        key, y = row["code"], tall * at
        mean = _mean(table, key)
        marks.append(f'<text class="quiet" x="4" y="{y + 15}">{escape(row["meaning_zh"])} {key}</text>')
        for n, year in enumerate(years):
            count = table.get((key, year))
            if count is None or mean <= 0:
                continue
            heat = min(max((count / mean - 0.55) / 0.9, 0.0), 1.0)
            red, green, blue = (round(a + (b - a) * heat) for a, b in zip(_PAPER, _IDLE, strict=True))
            ink = "#fff" if heat > 0.5 else "#1c262c"
            marks.append(
                f'<rect x="{left + n * wide}" y="{y}" width="{wide - 1}" height="{tall - 1}"'
                f' fill="#{red:02x}{green:02x}{blue:02x}"/>'
                f'<text x="{left + (n + 0.5) * wide:.0f}" y="{y + 15}"'
                f' text-anchor="middle" style="font-size:10px;fill:{ink}">{count:,.0f}</text>'
            )
    base = tall * len(keys)
    for n, year in enumerate(years):
        marks.append(
            f'<text x="{left + (n + 0.5) * wide:.0f}" y="{base + 15}" text-anchor="middle">{year}</text>'
        )
    x = left + sum(year <= origin for year in years) * wide - 0.5
    marks.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{base}" stroke="#b5562f" stroke-dasharray="4 3"/>')
    return _svg(left + wide * len(years) + 4, base + 22, "pupils by grade and year", "".join(marks))


def _mean(table: Mapping[tuple[str, int], float], key: str) -> float:
    counts = [count for (grade, _), count in table.items() if grade == key]
    return sum(counts) / len(counts) if counts else 0.0


def _warnings(gap: pd.DataFrame) -> list[tuple[str, ...]]:
    """Shortages first, then the most severe; at most forty."""
    rows = gap[(gap["level"] == "district") & gap["warning_level"].notna()]
    rank = {"red": 0, "orange": 1, "yellow": 2, "blue": 3}
    names = {row["code"]: row["meaning_zh"] for row in declare.code_list("district").rows}
    ordered = sorted(
        rows_of(rows),
        key=lambda r: (
            *(r.warning_direction, rank[r.warning_level]),
            *(r.school_year_start, r.unit_code, r.stage_code),
        ),
    )
    return [
        (
            names.get(r.unit_code, r.unit_code),
            STAGES.get(r.stage_code, r.stage_code),
            str(r.school_year_start),
            f"{_DIRECTION_ZH[r.warning_direction]} {_WARNING_ZH[r.warning_level]} {r.warning_level}",
            f"{r.surplus:+,.0f}",
        )
        for r in ordered[:40]
    ]
