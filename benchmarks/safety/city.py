"""The safety service graded on the city's truth: prints the tables of docs/decisions/safety-rules.md and
draws its curve.

    python benchmarks/safety/city.py [--scale 0.1] [--seeds 3] [--first 9101] [--svg …/safety-curve.svg]

The city's own writer makes two school years of daily illness reports with hidden clusters; they are read back
from its files and judged as `jobs.decide.safety.job` judges them. Not graded here: what ingestion refuses.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jobs import settings as site_settings
from jobs.decide.safety import absence, classes, outbreaks, read, rules
from jobs.decide.safety.detect import detect_frame
from jobs.decide.safety.job import findings_of_schools
from synthetic.city import illness as feed
from synthetic.city.alert_states import JURISDICTIONS
from synthetic.city.figures import districts
from synthetic.city.life import lives
from synthetic.city.part import City, Part
from synthetic.city.schools import make_schools
from synthetic.city.writers import Landing

YEARS = (2024, 2025)
BUDGET = 0.5  # false alerts per school-year that the service may raise
CURVE = (0.1, 0.02, 0.005, 0.001, 3e-4, 1e-4, 1e-5, 1e-6, 1e-8)
# Alarms of a curve are one warning if they lie so many days apart; alerts are joined by the service itself.
EPISODE_DAYS = 4
# Days after a cluster on which an alarm is neither found nor false: sums and class mates still remember it.
AFTER = pd.Timedelta(days=14)
CODE_OF = {zh: code for code, zh in feed._CONDITION_ZH.items()}


@dataclass
class Graded:
    """One city: its reports, its clusters, and episodes (`unit, first, last`) of each way to be warned."""

    clusters: pd.DataFrame
    school_years: float
    watch: dict[str, pd.DataFrame]
    # An alert may span days without a sign: whether it found a cluster is told by its signs.
    signs: dict[str, pd.DataFrame]


def reports_and_truth(scale: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, dict]]:
    """What districts send of illness, as the lake holds it; the clusters hidden in it; sizes of classes."""
    city = City(make_schools(scale, seed), scale, seed, YEARS, {})
    found, rows, sizes = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder)
        for year, population in lives(city.schools, YEARS, seed):
            shared: dict = {}
            for number in range(len(districts())):
                part = Part(city, year, number, population, Landing(landing), shared)
                found += feed.write_illness(part)
                classes = part.once("classes", lambda: None)
                here = np.flatnonzero(city.schools.district[classes.school] == number)
                sizes.setdefault(year, {}).update(feed._class_sizes(city.schools, classes, here))
        for file in sorted(landing.glob("campus_safety/*/*/因病缺勤日报_*.ndjson")):
            sender = file.parts[-3]
            for line in file.read_text("utf-8").splitlines():
                school, klass, _, day, symptom, absent, new = json.loads(line).values()
                code = CODE_OF.get(symptom, symptom)
                rows.append((school, klass, day, code, int(absent), int(new), sender))
    names = ["school_code", "class_name", "date", "condition_code", "absent_count", "case_count"]
    reports = pd.DataFrame(rows, columns=[*names, "sender_code"])
    reports["date"] = pd.to_datetime(reports["date"])
    clusters = pd.DataFrame(
        {
            "unit": [o.school_code for o in found],
            "first": pd.to_datetime([o.first_day for o in found]),
            "last": pd.to_datetime([o.last_day for o in found]),
        }
    )
    return reports, clusters, sizes


def episodes(alarms: pd.DataFrame) -> pd.DataFrame:
    """Runs of alarm days (`unit, date`) of a school, of whatever syndrome."""
    alarms = alarms[["unit", "date"]].drop_duplicates().sort_values(["unit", "date"])
    gap = alarms.groupby("unit")["date"].diff().dt.days
    run = (gap.isna() | (gap > EPISODE_DAYS)).cumsum()
    made = alarms.groupby(run).agg(unit=("unit", "first"), first=("date", "first"), last=("date", "last"))
    return made.reset_index(drop=True)


def grade(scale: float, seed: int) -> Graded:
    reports, clusters, sizes = reports_and_truth(scale, seed)
    calendar = read.calendar(site_settings.load("beijing"))
    as_of = reports["date"].max()
    series = absence.on_school_days(reports, calendar, as_of.date())
    school = detect_frame(series, "school", calendar=calendar)
    groups = absence.by_syndrome(reports, series, as_of)
    grouped = {"school": [], "ears_c2": []}
    for code, own in groups.groupby("syndrome_code"):
        one = own[["unit", "date", "count"]]
        grouped["school"].append(detect_frame(one, "school", calendar=calendar).assign(level=code))
        grouped["ears_c2"].append(detect_frame(one, "ears_c2", calendar=calendar))
    by_syndrome, ears = (pd.concat(grouped[name]) for name in ("school", "ears_c2"))
    by_class = classes.judged(reports, by_syndrome, alpha=max(CURVE), least=2)
    judged = school[school["p_value"].notna()]
    watched = judged.groupby("unit")["date"].min()
    # Clusters before a school's first answer are nobody's to find; the same ones are left out for all.
    clusters = clusters[clusters["first"] >= clusters["unit"].map(watched)].reset_index(drop=True)
    open_days = calendar[calendar["is_open"] & calendar["date"].between("2024-09-01", "2025-08-31")]
    dated = rules.load_rules()
    hits = pd.concat(
        [
            rules.rule_hits(
                own, dated, calendar, jurisdictions=JURISDICTIONS, class_sizes=sizes.get(int(str(year)), {})
            )
            for year, own in absence.rule_reports(reports, _no_incidents()).groupby("school_year")
        ]
    )
    # A rule's day counts only where the detection answers too, so that all are watched alike.
    hits = hits[hits["first_date"] >= hits["school_code"].map(watched)]
    by_rules, detected = outbreaks.of_rules(hits), findings_of_schools(by_syndrome, reports, as_of)
    ears = ears[ears["date"].ge(ears["unit"].map(watched))]
    watch, signs_of = {}, {}
    for a in CURVE:
        watch[f"school, by syndrome {a:g}"] = episodes(by_syndrome[by_syndrome["p_value"] < a])
        watch[f"class, by syndrome {a:g}"] = episodes(by_class[by_class["p_value"] < a])
        watch[f"school, all absence {a:g}"] = episodes(judged[judged["p_value"] < a])
        watch[f"EARS C2, by syndrome {a:g}"] = episodes(ears[ears["p_value"] < a])
    for name, findings in (
        ("detection as run", detected),
        ("statutory rules", [by_rules]),
        ("both", [*detected, by_rules]),
    ):
        signs = outbreaks.together(findings)
        alerts = outbreaks.outbreaks(signs, as_of)
        days = {"alert_unit_code": "unit", "unit_code": "unit", "alert_date": "first", "first_date": "first"}
        days |= {"last_date": "last"}
        watch[name] = alerts.rename(columns=days)[["unit", "first", "last"]]
        signs_of[name] = signs.rename(columns=days)[["unit", "first", "last"]]
    return Graded(clusters, len(judged) / len(open_days), watch, signs_of)


def _no_incidents() -> pd.DataFrame:
    return pd.DataFrame(columns=["school_code", "incident_type_code", "occurred_date", "injured_count"])


def found_after(clusters: pd.DataFrame, told: pd.DataFrame) -> pd.Series:
    """Days from a cluster's first day to the first warning in it; null where there is none."""
    pairs = clusters.reset_index(names="cluster").merge(told, on="unit", suffixes=("", "_told"))
    pairs = pairs[(pairs["first_told"] <= pairs["last"]) & (pairs["last_told"] >= pairs["first"])]
    days = (pairs["first_told"] - pairs["first"]).dt.days.clip(lower=0)
    return days.groupby(pairs["cluster"]).min().reindex(clusters.index)


def outside(clusters: pd.DataFrame, told: pd.DataFrame) -> int:
    """Warnings that touch no cluster of their school, nor the days after one."""
    told = told.reset_index(drop=True).reset_index(names="warning")
    pairs = told.merge(clusters, on="unit", suffixes=("", "_true"))
    near = pairs[(pairs["first"] <= pairs["last_true"] + AFTER) & (pairs["last"] >= pairs["first_true"])]
    return len(told) - near["warning"].nunique()


def summary(cities: list[Graded], name: str) -> tuple[float, float, float, float]:
    """Share found, median and 90th percentile of days to the warning, false warnings per school-year."""
    days = pd.concat([found_after(c.clusters, c.signs.get(name, c.watch[name])) for c in cities])
    false = sum(outside(c.clusters, c.watch[name]) for c in cities)
    years = sum(c.school_years for c in cities)
    return float(days.notna().mean()), float(days.median()), float(days.quantile(0.9)), false / years


def draw(curves: dict[str, list[tuple[float, float]]], marks: dict[str, tuple[float, float]]) -> str:
    """Share found over false warnings per school-year (log scale), as SVG."""
    left, top, width, height = 60, 24, 560, 300
    low, high = -3.0, 1.5

    def at(x: float, y: float) -> tuple[float, float]:
        place = (np.clip(np.log10(max(x, 10**low)), low, high) - low) / (high - low)
        return left + width * float(place), top + height * (1 - y)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {top + height + 56}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">',
        "<title>Share of hidden clusters found, by false warnings per school-year</title>",
        f'<rect width="{left + width + 20}" height="{top + height + 56}" fill="#fff"/>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = at(10**low, share)
        out.append(f'<path d="M{x:.0f} {y:.0f}h{width}" stroke="#d0d7de"/>')
        out.append(f'<text x="{x - 8:.0f}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>')
    for power in range(int(low), int(high) + 1):
        x, y = at(10.0**power, 0)
        out.append(f'<path d="M{x:.0f} {y:.0f}v-{height}" stroke="#d0d7de"/>')
        out.append(f'<text x="{x:.0f}" y="{y + 20:.0f}" text-anchor="middle">{10.0**power:g}</text>')
    out.append(
        f'<text x="{left + width / 2}" y="{top + height + 44}" text-anchor="middle">'
        "每校每学年误报数 false warnings per school-year</text>"
    )
    out.append(f'<text x="{left}" y="16">发现的聚集性疫情 clusters found</text>')
    for (name, points), color in zip(
        curves.items(), ("#1a7f37", "#0969da", "#54aeff", "#8c959f"), strict=True
    ):
        places = [at(*point) for point in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        out.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        x, y = places[2 * len(places) // 3]
        edge, anchor = (x - 8, "end") if x > left + 0.8 * width else (x + 8, "start")
        y += 190 if anchor == "end" else 16  # below the other curves
        out.append(f'<text x="{edge:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{name}</text>')
    budget, _ = at(BUDGET, 0)
    out.append(f'<path d="M{budget:.1f} {top}v{height}" stroke="#cf222e" stroke-dasharray="4 4"/>')
    for name, point in marks.items():
        x, y = at(*point)
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#cf222e"/>')
        out.append(f'<text x="{x - 8:.0f}" y="{y + 18:.0f}" text-anchor="end" fill="#cf222e">{name}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=9101, help="first seed")
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    cities = [grade(options.scale, seed) for seed in range(options.first, options.first + options.seeds)]
    clusters, years = sum(len(c.clusters) for c in cities), sum(c.school_years for c in cities)
    print(
        f"{options.seeds} cities at scale {options.scale}: {clusters} clusters, {years:,.0f} school-years\n"
    )
    print("| warned by | clusters found | days, median | days, 90 % | false per school-year |")
    print("| --- | --- | --- | --- | --- |")
    told = {name: summary(cities, name) for name in cities[0].watch}
    for name, (share, median, late, false) in sorted(told.items(), key=lambda one: one[0].rsplit(" ", 1)[0]):
        print(f"| {name} | {share:.0%} | {median:.0f} | {late:.0f} | {false:.3g} |")
    if options.svg:
        curves = {
            name: [(told[f"{name} {a:g}"][3], told[f"{name} {a:g}"][0]) for a in CURVE]
            for name in (
                "class, by syndrome",
                "school, by syndrome",
                "school, all absence",
                "EARS C2, by syndrome",
            )
        }
        named = {
            "检测 detection": "detection as run",
            "法定阈值 rules": "statutory rules",
            "合并 both": "both",
        }
        marks = {title: (told[name][3], told[name][0]) for title, name in named.items()}
        options.svg.write_text(draw(curves, marks), encoding="utf-8")


if __name__ == "__main__":
    main()
