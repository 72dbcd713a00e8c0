"""The report page: one HTML file with drawings in it, nothing asked from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from jobs.files import OUTPUT_MODE, replacing
from jobs.settings import ROOT
from synthetic.city.faults import KINDS
from synthetic.city.report import Findings, district_names, grade_names

_GEO = ROOT / "infra" / "sites" / "beijing" / "map.geojson"
_BOY, _GIRL, _MAIN, _QUIET = "#1d4e63", "#b5562f", "#1d4e63", "#59646c"
_ITEM_ZH = {
    "height_cm": "身高 height, cm",
    "weight_kg": "体重 weight, kg",
    "run_50m_s": "50米跑 50 m run, s",
    "sit_and_reach_cm": "坐位体前屈 sit and reach, cm",
    "sit_up_1min_count": "一分钟仰卧起坐 sit-ups in one minute",
    "pull_up_count": "引体向上 pull-ups (boys of junior and senior grades)",
}
_TRUTH_ZH = {
    "faults": "寄送者的差错 faults of senders",
    "outbreaks": "聚集性疫情 outbreaks",
    "identities": "重复身份 double identities",
    "future_enrollment": "未来在校生 enrollment to come (rows)",
    "fabrications": "造假成绩 fabricated results",
}
_STYLE = ROOT / "jobs" / "page.css"


def write_page(found: Findings, target: Path) -> None:
    """Write the page; raises OSError where the folder cannot be written."""
    with replacing(target, OUTPUT_MODE) as fresh:
        fresh.write_text(page(found), encoding="utf-8")


def page(found: Findings) -> str:
    """The whole page as text; the same findings give the same text."""
    s = found.summary
    first, last = s["years"]
    facts = [
        ("规模 scale", f"{s['scale']:g}"),
        ("种子 seed", str(s["seed"])),
        ("学年 school years", f"{first}–{last}"),
        ("学校 schools", f"{s['schools']:,}"),
        (f"{last} 年在校生 pupils", f"{s['pupils'][str(last)]:,}"),
        ("含幼儿园 with kindergartens", f"{s['children'][str(last)]:,}"),
        ("文件 files", f"{s['files']:,}"),
        ("行 rows", f"{s['rows']:,}"),
        ("最新报送 newest delivery", s["newest_delivery"]),
    ]
    label = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>合成北京 The synthetic city, seed {s['seed']}</title>"
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>"
        '<header><div class="frame"><p class="kicker">教育大数据湖仓 · 合成数据, 不涉及任何真实的人 '
        "Synthetic data about no real person</p>"
        f'<h1>合成北京城报告 The synthetic city</h1><dl class="facts">{label}</dl></div></header>'
        f'<main class="frame">{"".join(_sections(found, last))}</main>'
        '<footer class="frame">区界 district borders: modified from Apache ECharts 4.9.0 '
        "(Apache License 2.0), infra/sites/beijing/SOURCES.md</footer></body></html>\n"
    )


def _sections(found: Findings, last: int) -> list[str]:
    return [
        _section(
            "各年级人口金字塔 Pupils by grade and sex",
            f"{last} 年秋季在籍名册, 左男右女; 幼儿园来自统计报表, 不分性别。"
            "From the rolls as sent; kindergartens from the returns, both sexes together.",
            _key((("男 boys", _BOY), ("女 girls", _GIRL), ("幼儿园 kindergarten", "#9aa5a9")))
            + _pyramid(found, last),
        ),
        _section(
            "各区在校生 Pupils by district",
            f"{last} 年统计报表, 含幼儿园。边界仅供分析。"
            "From the returns, with kindergartens; borders for analysis only.",
            _map(found, last),
        ),
        _section(
            "生育高峰穿过各年级 The wave of births through the grades",
            "每格是一个学年一个年级的在校生, 颜色相对于该年级各年的平均; 斜线就是同一批孩子。"
            "最下一行是当年出生人口。A cell is a year and grade, colored against the grade's own mean: "
            "a cohort climbs one cell a year.",
            _wave(found),
            wide=True,
        ),
        _section(
            "体质健康测试分布 Fitness results",
            f"读取 {found.fitness_files[0]} 所学校的上报文件 (共 {found.fitness_files[1]} 所), {last} 年秋。"
            "As uploaded by the schools read, all grades together, faults that are no numbers left out.",
            _key((("男 boys", _BOY), ("女 girls", _GIRL)))
            + '<div class="small">'
            + "".join(_histogram(found, item) for item in _ITEM_ZH)
            + "</div>",
            wide=True,
        ),
        _section(
            "注入的差错 Faults by kind",
            "比率是行、文件或班级的份额; “次数”来自 truth/faults.csv 与 fabrications.csv。"
            "The rate is a share of lines, of files or of classes.",
            _faults(found),
            wide=True,
        ),
        _section(
            "另存的真相 Truth kept aside",
            "各表行数; 湖仓从不读取。Rows of each table of truth/, which the lake never reads.",
            _table(
                ("表 table", "行 rows"),
                [(f"{_TRUTH_ZH.get(n, n)} ({n}.csv)", f"{c:,}") for n, c in found.truths.items()],
            ),
        ),
        _section(
            "文件 Files",
            "按报送内容与容器。By feed and content; containers: "
            + ", ".join(f"{c} {n:,}" for c, n in sorted(found.containers.items())),
            _table(
                ("内容 content", "文件 files"), [(t, f"{n:,}") for t, n in sorted(found.datasets.items())]
            ),
        ),
    ]


def _section(title: str, about: str, body: str, wide: bool = False) -> str:
    kind = ' class="wide"' if wide else ""
    return f'<section{kind}><h2>{escape(title)}</h2><p class="about">{escape(about)}</p>{body}</section>'


def _key(entries: Iterable[tuple[str, str]]) -> str:
    spans = "".join(f'<span style="--of:{color}">{escape(text)}</span>' for text, color in entries)
    return f'<div class="key">{spans}</div>'


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th{' class=number' if n else ''}>{escape(h)}</th>" for n, h in enumerate(headings))
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=number' if n else ''}>{escape(c)}</td>" for n, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _svg(width: float, height: float, name: str, body: str) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(name)}">{body}</svg>'


def _pyramid(found: Findings, year: int) -> str:
    names = grade_names()
    totals = {
        key: sum(n for (y, _, g), n in found.returns.items() if y == year and g == key) for key, _ in names
    }
    most = max(
        [n for (_, sex), n in found.rolls.items() if sex in ("1", "2")]
        + [n / 2 for key, n in totals.items() if key.startswith("K")]
    )
    row, middle, reach = 24, 335, 175
    marks = []
    for at, (key, name) in enumerate(reversed(names)):
        y = 4 + at * row
        marks.append(f'<text class="quiet" x="4" y="{y + 15}">{escape(name)} {key}</text>')
        if key.startswith("K"):
            w = reach * totals[key] / 2 / most
            marks.append(
                f'<rect x="{middle - w:.1f}" y="{y}" width="{2 * w:.1f}" height="{row - 5}" fill="#9aa5a9">'
                f"<title>{key} {totals[key]:,}</title></rect>"
            )
            marks.append(f'<text class="quiet" x="{middle + w + 5:.1f}" y="{y + 15}">{totals[key]:,}</text>')
            continue
        for sex, color, left in (("1", _BOY, True), ("2", _GIRL, False)):
            count = found.rolls[key, sex]
            w = reach * count / most
            x = middle - w - 1 if left else middle + 1
            marks.append(
                f'<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{row - 5}" fill="{color}">'
                f"<title>{key} {count:,}</title></rect>"
            )
            text = f'x="{x - 5:.1f}" text-anchor="end"' if left else f'x="{x + w + 5:.1f}"'
            marks.append(f'<text class="quiet" {text} y="{y + 15}">{count:,}</text>')
    return _svg(580, 8 + len(names) * row, "population pyramid by grade", "".join(marks))


def _shade(part: float) -> str:
    """From paper to the main color."""
    low, high = np.array([233, 229, 218]), np.array([29, 78, 99])
    red, green, blue = np.rint(low + (high - low) * min(max(part, 0), 1)).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _map(found: Findings, year: int) -> str:
    features = json.loads(_GEO.read_text(encoding="utf-8"))["features"]
    names = district_names()
    counts = {d: sum(n for (y, u, _), n in found.returns.items() if y == year and u == d) for d in names}
    points = [p for f in features for polygon in f["geometry"]["coordinates"] for p in polygon[0]]
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    scale = 540 / ((east - west) * squeeze)
    most = max(counts.values())

    def at(lon: float, lat: float) -> tuple[float, float]:
        return 10 + (lon - west) * squeeze * scale, 10 + (north - lat) * scale

    marks, labels = [], []
    for feature in features:
        code = feature["id"]
        rings = [ring for polygon in feature["geometry"]["coordinates"] for ring in polygon]
        lines = ["M" + "L".join("{:.1f},{:.1f}".format(*at(*p[:2])) for p in ring) + "Z" for ring in rings]
        path = "".join(lines)
        label = f"{names[code]} {counts[code]:,}"
        marks.append(
            f'<path d="{path}" fill="{_shade(counts[code] / most)}" stroke="#fff" stroke-width="1" '
            f'fill-rule="evenodd"><title>{escape(label)}</title></path>'
        )
        x, y = at(feature["properties"]["label_lon"], feature["properties"]["label_lat"])
        if feature["properties"]["area_km2"] > 300:
            ink = "#fff" if counts[code] / most > 0.45 else "#1c262c"
            labels.append(
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" style="fill:{ink}">{names[code]}'
                f'<tspan x="{x:.1f}" dy="14" style="font-size:11px">{counts[code]:,}</tspan></text>'
            )
    small = [c for c in names if c in ("110101", "110102", "110107", "110106")]
    for n, code in enumerate(small):
        labels.append(f'<text class="quiet" x="8" y="{24 + 17 * n}">{names[code]} {counts[code]:,}</text>')
    height = 20 + (north - south) * scale
    return _svg(560, round(height), "pupils by district", "".join(marks + labels))


def _wave(found: Findings) -> str:
    names = grade_names()
    years = sorted({year for year, _, _ in found.returns})
    table = np.array(
        [
            [sum(n for (y, _, g), n in found.returns.items() if (y, g) == (year, key)) for key, _ in names]
            for year in years
        ],
        float,
    )
    part = table / np.where(table.mean(axis=0) > 0, table.mean(axis=0), 1)
    wide, tall, left = 78, 22, 110
    marks = []
    for at, (key, name) in enumerate(reversed(names)):
        column = len(names) - 1 - at
        marks.append(f'<text class="quiet" x="4" y="{tall * at + 16}">{escape(name)} {key}</text>')
        for n, year in enumerate(years):
            heat = (part[n, column] - 0.55) / 0.9
            ink = "#fff" if heat > 0.5 else "#1c262c"
            marks.append(
                f'<rect x="{left + n * wide}" y="{tall * at}" width="{wide - 1}" height="{tall - 1}" '
                f'fill="{_shade(heat)}"><title>{year} {key} {table[n, column]:,.0f}</title></rect>'
                f'<text x="{left + n * wide + wide / 2:.1f}" y="{tall * at + 15}" text-anchor="middle" '
                f'style="font-size:11px;fill:{ink}">{table[n, column]:,.0f}</text>'
            )
    base = tall * len(names)
    born = [found.births.get(year, 0) for year in years]
    for n, year in enumerate(years):
        x = left + n * wide + wide / 2
        marks.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{year}</text>')
        if born[n]:
            marks.append(
                f'<text class="quiet" x="{x:.1f}" y="{base + 34}" text-anchor="middle">{born[n]:,}</text>'
            )
    marks.append(f'<text class="quiet" x="4" y="{base + 34}">出生 births</text>')
    return _svg(left + wide * len(years) + 4, base + 42, "pupils by grade and year", "".join(marks))


def _histogram(found: Findings, item: str) -> str:
    of_sex = {sex: np.array(found.measures.get((item, sex), [])) for sex in ("1", "2")}
    everybody = np.concatenate(list(of_sex.values()))
    if not len(everybody):
        return ""
    low, high = np.percentile(everybody, [0.3, 99.7])
    if item.endswith("_count"):  # whole numbers: as many in each bar
        width = max(1, round((high - low) / 34))
        edges = np.arange(np.floor(low), high + width + 1, width)
    else:  # measures have one decimal: as many tenths in each bar
        tenths = max(1, round((high - low) * 10 / 36))
        edges = (np.arange(np.floor(low) * 10, high * 10 + tenths + 1, tenths) - 0.5) / 10
    steps = len(edges) - 1
    shares = {s: np.histogram(v, edges)[0] / max(len(v), 1) for s, v in of_sex.items() if len(v)}
    most = max(share.max() for share in shares.values())
    across, height, base = 340, 130, 112
    step = (across - 10) / steps
    marks = []
    for sex, color in (("1", _BOY), ("2", _GIRL)):
        if sex not in shares:
            continue
        points = [(5 + n * step, base - 100 * v / most) for n, v in enumerate(shares[sex].tolist())]
        line = f"M5,{base}" + "".join(f"L{x:.1f},{y:.1f}L{x + step:.1f},{y:.1f}" for x, y in points)
        end = 5 + steps * step
        marks.append(
            f'<path d="{line}L{end:.1f},{base}Z" fill="{color}" fill-opacity=".28" stroke="{color}"/>'
        )
    for n in range(5):
        value = edges[0] + (edges[-1] - edges[0]) * n / 4
        x = 5 + (across - 10) * n / 4
        anchor = ("start", "middle", "middle", "middle", "end")[n]
        marks.append(
            f'<text class="quiet" x="{x:.1f}" y="{base + 15}" text-anchor="{anchor}">{value:.0f}</text>'
        )
    count = f"n = {len(everybody):,}"
    return (
        f"<figure><figcaption>{escape(_ITEM_ZH[item])} <span class=about>{count}</span></figcaption>"
        f"{_svg(across, height, item, ''.join(marks))}</figure>"
    )


def _faults(found: Findings) -> str:
    rates = found.summary.get("fault_rates", {})
    most = max([*found.faults.values(), 1])
    rows = []
    for kind, count in sorted(found.faults.items(), key=lambda item: (-item[1], item[0])):
        known = KINDS.get(kind)
        rate = f"{rates[kind]:g} / {known.unit}" if known and kind in rates else "–"
        bar = (
            '<svg viewBox="0 0 100 10" preserveAspectRatio="none" style="height:.7rem">'
            f'<rect width="{100 * count / most:.1f}" height="10" fill="{_MAIN}"/></svg>'
        )
        about = escape(known.meaning if known else "")
        rows.append(
            f"<tr><td><code>{kind}</code><br><span class=about>{about}</span></td>"
            f"<td class=number>{rate}</td><td class=number>{count:,}</td>"
            f"<td style='width:35%'>{bar}</td></tr>"
        )
    return (
        "<table><thead><tr><th>差错 fault</th><th class=number>比率 rate</th><th class=number>次数 count</th>"
        f"<th></th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
