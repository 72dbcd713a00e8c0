"""The grading as Markdown tables and as charts: what docs/decisions/places-graded.md shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks.places.simple import LEVELS
from jobs.decide.places.ladder import stage_grades

LEVEL_ZH = {"city": "全市 city", "district": "区 district", "area": "学区 area", "school": "学校 school"}
LAKE, ORACLE, SIMPLE = "#0969da", "#8c959f", "#bf8700"
BAND = (75, 85)
_WIDTH, _HEIGHT, _LEFT, _TOP = 150, 96, 40, 30
_MARKS = re.compile(r"(<!-- benchmark -->\n).*?(<!-- end -->)", re.DOTALL)


def spans() -> list[str]:
    """Each stage and its first grade, then all grades."""
    return [span for stage, keys in stage_grades().items() for span in (stage, keys[0])] + ["all"]


def of_span(table: pd.DataFrame, level: str, span: str) -> tuple[pd.DataFrame, str]:
    """Scores of one level and span, methods down and (score, lead) across; the best simple method's name."""
    own = table[(table["level"] == level) & (table["grade_key"] == span)]
    wide = own.pivot(index="method", columns="lead", values=["units", "error", "bias", "held", "score"])
    return wide, str(wide["error"].drop(["lake", "oracle"]).mean(axis=1).idxmin())


def markdown(table: pd.DataFrame) -> str:
    """One table: a line a level and span."""
    lines = [
        "| level | of | 1 | 2 | 3 | 4 | 5 | 6 | mean | oracle | ratio | simple | bias at 6 "
        "| 80 % held: least, mean, most | score | simple's |",
        "| --- " * 16 + "|",
    ]
    for level in LEVELS:
        for span in spans():
            wide, best = of_span(table, level, span)
            lake, held, score = (wide.loc["lake", name] for name in ("error", "held", "score"))
            oracle, simple = wide.loc["oracle", "error"].mean(), wide.loc[best, "error"].mean()
            cells = [
                *(level, span, *(f"{v:.1f}" for v in lake)),
                *(f"**{lake.mean():.2f}**", f"{oracle:.2f}", f"{lake.mean() / oracle:.2f}", f"{simple:.2f}"),
                f"{wide.loc['lake', 'bias'].iloc[-1]:+.1f}",
                f"{held.min():.0f}, {held.mean():.0f}, {held.max():.0f}",
                *(f"{score.mean():.1f}", f"{wide.loc[best, 'score'].mean():.1f}"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_page(page: Path, images: Path, tables: dict[float, pd.DataFrame], title: str) -> None:
    """Put the tables between the page's marks, and draw the charts of the first scale beside."""
    parts = [title, *(f"Scale {scale:g}:\n\n{markdown(table)}" for scale, table in tables.items())]
    body = "\n\n".join(parts) + "\n\n"
    text = page.read_text(encoding="utf-8")
    page.write_text(_MARKS.sub(lambda m: f"{m[1]}{body}{m[2]}", text), encoding="utf-8")
    first = next(iter(tables.values()))
    (images / "places-error.svg").write_text(error_chart(first), encoding="utf-8")
    (images / "places-held.svg").write_text(held_chart(first), encoding="utf-8")


Line = tuple[str, list[float]]


def error_chart(table: pd.DataFrame) -> str:
    """Error by lead of the lake, the oracle and the best simple method."""

    def lines(level: str, stage: str) -> list[Line]:
        wide, best = of_span(table, level, stage)
        methods = ((SIMPLE, best), (ORACLE, "oracle"), (LAKE, "lake"))
        return [(color, wide.loc[method, "error"].tolist()) for color, method in methods]

    keys = (
        (LAKE, "数据湖 the lake"),
        (ORACLE, "理论最优 oracle"),
        (SIMPLE, "最佳简单方法 best simple method"),
    )
    return _panels("平均绝对误差 %, 按提前年数 mean absolute error in %, by years ahead", lines, keys, None)


def held_chart(table: pd.DataFrame) -> str:
    """How often the 80 % interval held, by lead, for stages and for their entrants."""
    first = {stage: keys[0] for stage, keys in stage_grades().items()}

    def lines(level: str, stage: str) -> list[Line]:
        of = ((SIMPLE, first[stage]), (LAKE, stage))
        return [(color, of_span(table, level, span)[0].loc["lake", "held"].tolist()) for color, span in of]

    keys = ((LAKE, "学段 stage"), (SIMPLE, "起始年级 entrants"))
    title = "80% 区间覆盖率 %, 按提前年数 how often the 80 % interval held, by years ahead"
    return _panels(title, lines, keys, BAND)


def _panels(
    title: str,
    lines: Callable[[str, str], list[Line]],
    keys: tuple[tuple[str, str], ...],
    band: tuple[int, int] | None,
) -> str:
    """Levels down, stages across. With a band, every panel goes from 0 to 100."""
    stages = list(stage_grades())
    wide, tall = 110 + len(stages) * (_WIDTH + _LEFT), _TOP + 44 + len(LEVELS) * (_HEIGHT + 34)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">',
        f'<title>{title}</title><rect width="{wide}" height="{tall}" fill="#fff"/>',
        f'<text x="8" y="18" font-weight="600">{title}</text>',
    ]
    for row, level in enumerate(LEVELS):
        top = _TOP + 30 + row * (_HEIGHT + 34)
        out.append(f'<text x="8" y="{top + _HEIGHT / 2:.0f}">{LEVEL_ZH[level]}</text>')
        for column, stage in enumerate(stages):
            left = 90 + _LEFT + column * (_WIDTH + _LEFT)
            if row == 0:
                out.append(f'<text x="{left}" y="{top - 10}" font-weight="600">{stage}</text>')
            out += _panel(left, top, lines(level, stage), band)
    x = 98
    for color, name in keys:
        out.append(f'<path d="M{x} {tall - 16}h22" stroke="{color}" stroke-width="2.5"/>')
        out.append(f'<text x="{x + 28}" y="{tall - 12}">{name}</text>')
        x += 230
    return "\n".join([*out, "</svg>"]) + "\n"


def _panel(left: int, top: int, lines: list[Line], band: tuple[int, int] | None) -> list[str]:
    most = 100.0 if band else max(2.0, *(max(values) for _, values in lines))

    def at(lead: int, value: float) -> str:
        return f"{left + (lead - 1) * _WIDTH / 5:.1f} {top + _HEIGHT * (1 - value / most):.1f}"

    out = []
    if band:
        low, high = (top + _HEIGHT * (1 - v / most) for v in band)
        out.append(
            f'<rect x="{left}" y="{high:.1f}" width="{_WIDTH}" height="{low - high:.1f}" fill="#dafbe1"/>'
        )
    for value in (0.0, most):
        y = top + _HEIGHT * (1 - value / most)
        out.append(f'<path d="M{left} {y:.1f}h{_WIDTH}" stroke="#d0d7de"/>')
        out.append(f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for color, values in lines:
        path = "L".join(at(n + 1, value) for n, value in enumerate(values))
        out.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
    for lead in (1, 6):
        x = at(lead, 0).split(" ")[0]
        out.append(f'<text x="{x}" y="{top + _HEIGHT + 16}" text-anchor="middle">{lead}</text>')
    return out
