"""Charts as SVG, drawn once and shown by every format; their figures stand in tables beside them.

Attributes only, no style sheet and no script: the compiler of the PDF reads the same text as a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from jobs import origin
from jobs.reports.model import Chart

INK, QUIET, RULE, MAIN, ACCENT, PALE, PALER = (
    *("#1c262c", "#59646c", "#dedbd2", "#1d4e63", "#b5562f", "#94b3bd", "#cfdde1"),
)
GOOD, BAD, UNKNOWN, BESIDE = "#2f6b4f", "#a3302a", "#8a6d1d", "#8b949a"
_FONT = "Noto Sans SC, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
WIDTH = 720
# Of a chart that stands in one of two columns.
HALF = 400

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One small chart: points over years, the path from base to target, bands, a second line."""

    title: str
    line: Sequence[Point]
    path: Sequence[Point] = ()
    bands: Sequence[tuple[str, Sequence[tuple[float, float, float]]]] = ()
    expected: Sequence[Point] = ()
    supply: Sequence[Point] = ()
    from_zero: bool = False

    @property
    def points(self) -> list[Point]:
        """All that must have room."""
        ends = [(x, y) for _, band in self.bands for x, low, high in band for y in (low, high)]
        return [*self.line, *self.path, *self.expected, *self.supply, *ends]


@dataclass(frozen=True)
class Bar:
    """One unit's value with its interval."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    is_own: bool = False


@dataclass
class _Paper:
    marks: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        color: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="700"' if bold else ""
        self.marks.append(
            # As a style: a page's own rules for texts of charts would win over attributes.
            f'<text x="{x:.1f}" y="{y:.1f}" style="font-size:{size:g}px;fill:{color}" text-anchor="{anchor}"'
            f"{weight}>"
            f"{escape(text)}</text>"
        )

    def line(self, points: Sequence[Point], color: str, width: float = 2, dash: str = "") -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.marks.append(
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="{width:g}"{dashed}/>'
        )

    def area(self, points: Sequence[Point], color: str) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.marks.append(f'<polygon points="{places}" fill="{color}"/>')

    def box(self, x: float, y: float, width: float, height: float, color: str, border: str = "") -> None:
        edge = f' stroke="{border}"' if border else ""
        self.marks.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"'
            f' fill="{color}"{edge}/>'
        )

    def dot(self, x: float, y: float, color: str, radius: float = 3) -> None:
        self.marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{color}"/>')


def panels(
    title: str, alt: str, shown: Sequence[Panel], *, across: int, is_synthetic: bool, width: int = WIDTH
) -> Chart | None:
    """Small charts side by side, `across` in a row; None without any point."""
    drawn = [panel for panel in shown if panel.points]
    if not drawn:
        return None
    wide, tall = width / across, 132.0 if across > 2 else 150.0
    paper = _Paper()
    for at, panel in enumerate(drawn):
        _panel(paper, panel, (at % across) * wide, (at // across) * tall, wide, tall)
    rows = -(-len(drawn) // across)
    return _chart(title, alt, paper, rows * tall, is_synthetic, width)


def _panel(paper: _Paper, panel: Panel, left: float, top: float, wide: float, tall: float) -> None:
    room = (left + 40, top + 26, wide - 62, tall - 50)
    at, low, high = _scales(panel, *room)
    paper.text(left + 4, top + 14, _cut(panel.title, (wide - 10) / 11), size=11, bold=True)
    for value in (low, (low + high) / 2, high):
        _, y = at((0, value))
        paper.line([(room[0], y), (room[0] + room[2], y)], RULE, 1)
        paper.text(room[0] - 4, y + 4, _tick(value, high - low), size=10, color=QUIET, anchor="end")
    for color, band in panel.bands:
        upper = [at((x, top_)) for x, _, top_ in band]
        lower = [at((x, bottom)) for x, bottom, _ in band]
        paper.area([*upper, *lower[::-1]], color)
    if panel.path:
        paper.line([at(point) for point in panel.path], ACCENT, 1.5, "4 3")
        paper.dot(*at(panel.path[-1]), ACCENT, 3.5)
    if panel.supply:
        paper.line([at(point) for point in panel.supply], ACCENT, 1.5, "2 2")
    if panel.line:
        paper.line([at(point) for point in panel.line], INK)
        paper.dot(*at(panel.line[-1]), INK)
    if panel.expected:
        paper.line([at(point) for point in panel.expected], MAIN, 2, "5 3")
    years = sorted({int(x) for x, _ in panel.points})
    for year in dict.fromkeys((years[0], years[-1])):
        x, _ = at((year, low))
        paper.text(x, top + tall - 9, str(year), size=10, color=QUIET, anchor="middle")


def _scales(
    panel: Panel, left: float, top: float, wide: float, tall: float
) -> tuple[Callable[[Point], Point], float, float]:
    xs = [x for x, _ in panel.points]
    ys = [y for _, y in panel.points]
    low, high = (0.0 if panel.from_zero else min(ys)), max(ys)
    spare = (high - low) * 0.08 or max(abs(high) * 0.05, 1.0)
    high += spare
    if not panel.from_zero:
        low -= spare
    first, span = min(xs), (max(xs) - min(xs)) or 1.0

    def at(point: Point) -> Point:
        return (
            left + (point[0] - first) / span * wide,
            top + tall - (point[1] - low) / (high - low) * tall,
        )

    return at, low, high


def bars(
    title: str, alt: str, shown: Sequence[Bar], *, target: float | None, is_synthetic: bool, unit: str = "%"
) -> Chart | None:
    """Lying bars with intervals and the target's line; None without bars."""
    if not shown:
        return None
    paper, step, left, wide = _Paper(), 24.0, 170.0, WIDTH - 170.0 - 70.0
    top = 22.0 if target is not None else 4.0
    most = max([bar.high or bar.value for bar in shown] + [target or 0.0]) * 1.04 or 1.0
    for at, bar in enumerate(shown):
        y, color = top + at * step, MAIN if bar.is_own else PALE
        paper.text(left - 8, y + 15, _cut(bar.label, 13), anchor="end", bold=bar.is_own)
        paper.box(left, y + 4, bar.value / most * wide, step - 9, color)
        end = bar.value / most * wide
        if bar.low is not None and bar.high is not None:
            middle = y + 4 + (step - 9) / 2
            end = max(end, bar.high / most * wide)
            paper.line(
                [(left + bar.low / most * wide, middle), (left + bar.high / most * wide, middle)], INK, 1.5
            )
            for edge in (bar.low, bar.high):
                x = left + edge / most * wide
                paper.line([(x, middle - 4), (x, middle + 4)], INK, 1.5)
        paper.text(left + end + 6, y + 15, f"{bar.value:.1f}{unit}", size=11)
    bottom = top + len(shown) * step
    if target is not None:
        x = left + target / most * wide
        paper.line([(x, top - 4), (x, bottom)], ACCENT, 1.5, "4 3")
        paper.text(x, top - 8, f"目标 {target:g}{unit}", size=11, color=ACCENT, anchor="middle")
    return _chart(title, alt, paper, bottom + 4, is_synthetic)


def steps(
    title: str, alt: str, shown: Sequence[tuple[str, str, str]], *, is_synthetic: bool, width: int = WIDTH
) -> Chart | None:
    """Boxes in a row, each a name, a state (`good`, `bad`, `unknown`, `beside`) and its word."""
    if not shown:
        return None
    colors = {"good": GOOD, "bad": BAD, "unknown": UNKNOWN, "beside": BESIDE}
    paper, gap = _Paper(), 14.0
    wide = (width - gap * (len(shown) - 1)) / len(shown)
    size = min(13.0, wide / 5.2)
    for at, (name, state, word) in enumerate(shown):
        x = at * (wide + gap)
        paper.box(x, 2, wide, 58, colors[state])
        paper.text(
            x + wide / 2, 25, _cut(name, wide / size), size=size, color="#fff", anchor="middle", bold=True
        )
        paper.text(x + wide / 2, 46, _cut(word, wide / size), size=size - 1, color="#fff", anchor="middle")
        if at:
            paper.text(x - gap / 2, 36, "›", size=16, color=QUIET, anchor="middle")
    return _chart(title, alt, paper, 62, is_synthetic, width)


def _chart(title: str, alt: str, paper: _Paper, tall: float, is_synthetic: bool, width: int = WIDTH) -> Chart:
    if is_synthetic:
        # A chart is copied without the page that says so.
        tall += 16
        said = f"{origin.SHORT_ZH} {origin.SHORT_EN}"
        paper.text(width - 2, tall - 4, said, size=10, color=QUIET, anchor="end")
    height = round(tall)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="{_FONT}">{"".join(paper.marks)}</svg>'
    )
    return Chart(title, alt, svg, width, height)


def _cut(text: str, most: float) -> str:
    """The text where it is no wider than `most` Chinese characters, else its beginning."""
    width = 0.0
    kept: list[str] = []
    for one in text:
        width += 1.0 if ord(one) > 0x2E80 else 0.56
        if width > most:
            return "".join(kept[:-1]) + "…"
        kept.append(one)
    return text


def _tick(value: float, span: float) -> str:
    return f"{value:,.0f}" if span >= 8 else f"{value:,.1f}" if span >= 0.5 else f"{value:,.2f}"
