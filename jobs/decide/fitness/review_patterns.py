"""Tests of one year's results alone: heaps, copies, too little spread, wrong columns and wrong units.

Each function returns p-values by class (NaN: the test does not apply) and the figures that a person needs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobs.decide.fitness.review_frame import ROUND, ZH, Floats, Frame, collisions
from jobs.decide.fitness.standard import load
from jobs.decide.fitness.suspicion import (
    SMALLEST_P,
    beta_binomial_tail,
    fisher,
    mean_of,
    stouffer,
    usual_share,
)

LEAST_PUPILS = 8  # a smaller class says too little
# Chance agreements are more frequent than independent items let them be.
_RELATED = 1.6


@dataclass
class Finding:
    """One test of all classes. `is_fine`: fine-grained enough for an empirical null."""

    name: str
    zh: str
    p: Floats
    evidence: dict[int, str] = field(default_factory=dict)  # class -> what was found, for a person
    repair: dict[int, str] = field(default_factory=dict)
    is_fine: bool = True


def heaping(frame: Frame) -> Finding:
    """Flags too many round values, by item and step, against all classes; items are combined by Fisher."""
    parts, notes = [], []
    for code, steps in ROUND.items():
        values = frame.values.get(code)
        if values is None or np.isnan(values).all():
            continue
        known = ~np.isnan(values)
        count = frame.per_class(known)
        of_step = []
        for step in steps:
            is_round = known & (np.abs(values / step - np.round(values / step)) < 1e-6)
            hits = frame.per_class(is_round)
            share, spread = usual_share(hits, count, least=0.005)
            p = beta_binomial_tail(hits, count, np.full(frame.count, share), spread)
            of_step.append(np.where(count >= LEAST_PUPILS, p, np.nan))
            notes.append((code, step, hits, count, share, p))
        parts.append(np.minimum(np.fmin.reduce(of_step) * len(steps), 1))
    finding = Finding("heaping", "整数堆积", fisher(parts, frame.count))
    for at in range(frame.count):
        found = sorted((float(note[5][at]), n) for n, note in enumerate(notes) if note[5][at] < 0.01)
        named = [
            f"{ZH[code]} {count[at]:.0f} 人中 {hits[at]:.0f} 人为 {step:g} 的整倍数"
            f"(通常约 {share * count[at]:.0f} 人)"
            for code, step, hits, count, share, _ in (notes[n] for _, n in found[:3])
        ]
        if named:
            finding.evidence[at] = "; ".join(named)
    return finding


def last_digits(frame: Frame) -> Finding:
    """Flags last digits distributed unlike all classes': chi-squared over ten digits, combined by Fisher."""
    parts = []
    for code, unit in (("height", 10), ("weight", 10), ("vital_capacity", 1), ("sit_and_reach", 10)):
        values = frame.values.get(code)
        if values is None or np.isnan(values).all():
            continue
        known = ~np.isnan(values)
        digit = np.where(known, np.round(np.abs(np.nan_to_num(values)) * unit).astype(np.int64) % 10, 0)
        table = np.zeros((frame.count, 10))
        np.add.at(table, (frame.klass[known], digit[known]), 1)
        share = (table.sum(axis=0) + 1) / (table.sum() + 10)
        count = table.sum(axis=1)
        expected = count[:, None] * share
        odd = np.where(expected > 0, (table - expected) ** 2 / np.maximum(expected, 1e-9), 0).sum(axis=1)
        usable = count >= LEAST_PUPILS
        if not usable.any():
            continue
        # Testers have habits: the upper quantiles of the classes are the measure of what is odd.
        upper = [float(np.quantile(odd[usable], q)) / float(stats.chi2.ppf(q, 9)) for q in (0.5, 0.9, 0.98)]
        parts.append(np.where(usable, stats.chi2.sf(odd / max(1.0, *upper), 9), np.nan))
    return Finding("last_digits", "末位数字分布异常", fisher(parts, frame.count))


def thresholds(frame: Frame) -> Finding:
    """Flags too many values exactly on a step of the score table; items are combined by Fisher."""
    standard = load()
    by_level: dict[int, list[Floats]] = {}
    notes = []
    for item in standard.items:
        code = item.measure.code
        values = frame.values.get(code)
        if values is None or code in ("bmi", "pull_up"):
            continue
        known = ~np.isnan(values)
        scale = 10**item.measure.decimals
        for level in (60, 80, 85, 90, 100):
            edges = _edges(item.points, item.first, level, item.lower_is_better)
            own = np.array(
                [edges.get(standard.grade_index.get(g, -1) * 2 + s - 1, np.nan) for g, s in _pairs(frame)]
            )
            on = known & (np.round(np.nan_to_num(values) * scale) == own)
            hits, count = frame.per_class(on), frame.per_class(known & ~np.isnan(own))
            if not count.any():
                continue
            share, spread = usual_share(hits, count, least=0.005)
            p = beta_binomial_tail(hits, count, np.full(frame.count, share), spread)
            by_level.setdefault(level, []).append(np.where(count >= LEAST_PUPILS, p, np.nan))
            notes.append((code, level, hits, count, share, p))
    combined = [fisher(parts, frame.count) for parts in by_level.values()]
    least = np.fmin.reduce(combined) if combined else np.full(frame.count, np.nan)
    finding = Finding("threshold", "恰好踩线过多", np.minimum(least * len(combined), 1))
    for at in range(frame.count):
        found = sorted((float(note[5][at]), n) for n, note in enumerate(notes) if note[5][at] < 0.01)
        if found:
            finding.evidence[at] = "; ".join(
                f"{ZH[code]} {count[at]:.0f} 人中 {hits[at]:.0f} 人恰为 {level} 分线"
                f"(通常约 {share * count[at]:.1f} 人)"
                for code, level, hits, count, share, _ in (notes[n] for _, n in found[:3])
            )
    return finding


def _pairs(frame: Frame) -> list[tuple[int, int]]:
    return list(zip(frame.grade.tolist(), frame.sex.tolist(), strict=True))


def _edges(points: NDArray[np.int8], first: int, level: int, lower_is_better: bool) -> dict[int, float]:
    """Group -> the value in units that just earns `level` points."""
    found = {}
    for group in range(len(points)):
        at = np.flatnonzero(points[group, 1:] == level)
        if len(at):
            found[group] = float(first + (at.max() if lower_is_better else at.min()))
    return found


def copied_rows(frame: Frame) -> Finding:
    """Flags pupils of one class and sex who agree in more items than chance explains."""
    codes = [code for code in frame.values if code != "pull_up"]
    same = collisions(frame)
    p = np.full(frame.count, np.nan)
    finding = Finding("copied_rows", "整行雷同", p, is_fine=False)
    for at, rows in _class_rows(frame):
        smallest, pairs, involved = 1.0, 0, set()
        for sex in (1, 2):
            own = rows[frame.sex[rows] == sex]
            if len(own) < 3:
                continue
            used = [c for c in codes if (~np.isnan(frame.values[c][own])).sum() > 2]
            matrix = np.stack([frame.values[c][own] for c in used]) if used else np.zeros((0, len(own)))
            agree = (matrix[:, :, None] == matrix[:, None, :]).sum(axis=0)
            chance = np.array([min(0.5, _RELATED * np.nan_to_num(same[c][own[0]], nan=0.02)) for c in used])
            tail = _poisson_binomial_tail(np.maximum(chance, 1e-4))
            upper = np.triu_indices(len(own), 1)
            pairs += len(upper[0])
            p_pairs = tail[np.minimum(agree[upper], len(used))]
            if len(p_pairs):
                smallest = min(smallest, float(p_pairs.min()))
                close = p_pairs < 1e-5
                involved |= set(own[upper[0][close]].tolist()) | set(own[upper[1][close]].tolist())
        if pairs:
            p[at] = min(1.0, max(smallest * pairs, SMALLEST_P))
            if involved:
                lines = _lines(frame, sorted(involved))
                finding.evidence[at] = f"{len(involved)} 名学生的多数项目与同班另一人完全相同{lines}"
    return finding


def _lines(frame: Frame, rows: list[int]) -> str:
    if "line_number" not in frame.rows:
        return ""
    numbers = frame.rows["line_number"].iloc[rows].tolist()
    return "(第 " + "、".join(str(int(n)) for n in numbers[:8]) + (" 等" if len(numbers) > 8 else "") + " 行)"


def _poisson_binomial_tail(chance: Floats) -> Floats:
    """P(at least m agree) for m = 0 … items, each item by its own chance."""
    mass = np.array([1.0])
    for q in chance:
        mass = np.convolve(mass, [1 - q, q])
    return np.clip(np.cumsum(mass[::-1])[::-1], SMALLEST_P, 1)


def _class_rows(frame: Frame) -> list[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(frame.klass, kind="stable")
    bounds = np.searchsorted(frame.klass[order], np.arange(frame.count + 1))
    return [(at, order[bounds[at] : bounds[at + 1]]) for at in range(frame.count)]


def copied_columns(frame: Frame, before: dict[str, Floats]) -> Finding:
    """Flags an item whose values run as in another class of the same school and grade.

    Of two classes that agree, the flagged one is that whose pupils the values fit worse, by their other items
    and their year before; the other class is named.
    """
    same = collisions(frame)
    p = np.full(frame.count, 1.0)
    finding = Finding("copied_columns", "与他班同列雷同", p, is_fine=False)
    rows_of = dict(_class_rows(frame))
    keys = frame.keys
    for _, group in keys.groupby(["school_code", "fitness_grade_code"]):
        numbers = group.index.tolist()
        tried = max(len(numbers) - 1, 1) * len(frame.values)
        for one, other in itertools.combinations(numbers, 2):
            copied: list[str] = []
            smallest = 1.0
            for code in frame.values:
                if code == "pull_up":
                    continue
                hits, count, chance = 0, 0, 0.0
                for sex in (1, 2):
                    left = rows_of[one][frame.sex[rows_of[one]] == sex]
                    right = rows_of[other][frame.sex[rows_of[other]] == sex]
                    size = min(len(left), len(right))
                    a, b = frame.values[code][left[:size]], frame.values[code][right[:size]]
                    known = ~np.isnan(a) & ~np.isnan(b)
                    if known.any():
                        hits += int((a[known] == b[known]).sum())
                        count += int(known.sum())
                        chance = max(chance, float(np.nan_to_num(same[code][left[0]], nan=0.02)))
                if count >= LEAST_PUPILS and hits > 3:
                    own = float(stats.binom.sf(hits - 1, count, min(0.5, max(_RELATED * chance, 1e-3))))
                    if own * tried < 1e-4:
                        copied.append(code)
                    smallest = min(smallest, max(own, SMALLEST_P))
            smallest = min(1.0, smallest * tried)
            if copied:
                fits = [_fit(frame, rows_of[at], copied, before) for at in (one, other)]
                worse, better = (one, other) if fits[0] <= fits[1] else (other, one)
                if smallest < p[worse]:
                    p[worse] = smallest
                names = "、".join(ZH[code] for code in copied)
                sentence = "{}与本校 {} 班逐人相同"
                finding.evidence[worse] = sentence.format(names, keys["class_code"][better])
                finding.evidence.setdefault(
                    better, sentence.format(names, keys["class_code"][worse]) + "(数值更符合本班学生)"
                )
            else:
                for at in (one, other):
                    p[at] = min(p[at], smallest)
    return finding


def _fit(frame: Frame, rows: NDArray[np.int64], codes: list[str], before: dict[str, Floats]) -> float:
    """Mean correlation of the values with the same pupils' other items and their year before."""
    others = [c for c in frame.values if c not in (*codes, "height", "weight")]
    other = np.nanmean(
        np.stack([np.nan_to_num(frame.normal[c][rows]) for c in others] or [np.zeros(len(rows))]), axis=0
    )
    found = []
    for code in codes:
        own = frame.normal[code][rows]
        then = np.nan_to_num(before[code][rows]) if code in before else np.zeros(len(rows))
        guess = other + then
        known = ~np.isnan(own)
        if known.sum() > 4 and np.std(own[known]) > 0 and np.std(guess[known]) > 0:
            found.append(float(np.corrcoef(own[known], guess[known])[0, 1]))
    return float(np.mean(found)) if found else 0.0


def too_alike(frame: Frame) -> Finding:
    """Flags classes with less spread than their size allows: chi-squared, lower tail, all items."""
    scores, ratios = [], []
    for code, normal in frame.normal.items():
        if code in ("height", "weight", "pull_up"):
            continue
        known = ~np.isnan(normal)
        count = frame.per_class(known)
        mean = frame.per_class(normal) / np.maximum(count, 1)
        squares = frame.per_class(np.where(known, (normal - mean[frame.klass]) ** 2, 0))
        variance = squares / np.maximum(count - 1, 1)
        usable = count >= LEAST_PUPILS
        if not usable.any():
            continue
        usual = float(np.median(variance[usable]))
        ratios.append(np.where(usable, variance / usual, np.nan))
        p = stats.chi2.cdf(squares / usual, np.maximum(count - 1, 1))
        score = stats.norm.isf(np.clip(p, SMALLEST_P, 1 - 1e-12))
        scores.append(np.where(usable, score, np.nan))
    finding = Finding("too_alike", "班内差异过小", stouffer(scores, frame.count))
    ratio = np.exp(mean_of([np.log(np.maximum(own, 1e-9)) for own in ratios], frame.count))
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = f"班内各项方差约为通常的 {ratio[at]:.0%}"
    return finding


def too_good(frame: Frame) -> Finding:
    """Flags classes whose mean is far above that of other classes, measured by how those differ."""
    means = []
    for code, normal in frame.normal.items():
        if code in ("height", "weight", "bmi", "pull_up"):
            continue
        count = frame.per_class(~np.isnan(normal))
        means.append(np.where(count >= LEAST_PUPILS, frame.per_class(normal) / np.maximum(count, 1), np.nan))
    mean = mean_of(means, frame.count)
    score = _robust(mean)
    finding = Finding("too_good", "整班成绩过高", np.clip(stats.norm.sf(score), SMALLEST_P, 1))
    finding.p[np.isnan(mean)] = np.nan
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = f"班级平均高出各班 {score[at]:.1f} 个标准差"
    return finding


def _robust(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    middle = float(np.median(known))
    spread = float(np.median(np.abs(known - middle))) * 1.4826
    return np.asarray((values - middle) / max(spread, 1e-9))


def not_on_roll(frame: Frame) -> Finding:
    """Flags results of pupils who are not on the school's roll of the year."""
    if "is_on_roll_of_school" not in frame.rows or frame.rows["is_on_roll_of_school"].isna().all():
        return Finding("not_on_roll", "不在籍学生有成绩", np.full(frame.count, np.nan), is_fine=False)
    on = frame.rows["is_on_roll_of_school"]
    off = (on.notna() & ~on.fillna(True).astype(bool)).to_numpy()
    some = np.zeros(len(frame.rows), bool)
    for values in frame.values.values():
        some |= ~np.isnan(values)
    hits, count = frame.per_class(off & some), frame.tested
    share, spread = usual_share(hits, count, least=0.001)
    p = beta_binomial_tail(hits, count, np.full(frame.count, share), spread)
    finding = Finding("not_on_roll", "不在籍学生有成绩", p, is_fine=False)
    for at in np.flatnonzero(p < 0.05):
        finding.evidence[int(at)] = f"{hits[at]:.0f} 名有成绩的学生不在本校当年学籍名册中"
    return finding


def weight_unit(frame: Frame) -> Finding:
    """Flags classes whose weights look as if given in 斤 (half a kilogram); suggests the repair."""
    bmi = frame.values["weight"] / (frame.values["height"] / 100) ** 2
    known = ~np.isnan(bmi)
    count = frame.per_class(known)
    mean = frame.per_class(frame.normal["bmi"]) / np.maximum(count, 1)
    score = _robust(np.where(count >= LEAST_PUPILS, mean, np.nan))
    middle = pd.Series(bmi).groupby(frame.klass).median().reindex(range(frame.count)).to_numpy()
    likely = (middle / 2 > 13) & (middle / 2 < 24) & (middle > 25)
    p = np.where(likely, np.clip(stats.norm.sf(score), SMALLEST_P, 1), 1.0)
    p[np.isnan(score)] = np.nan
    finding = Finding("weight_unit", "体重单位可能为斤", p, is_fine=False)
    for at in np.flatnonzero(likely & (p < 0.01)):
        finding.evidence[int(at)] = f"班级体重指数中位数 {middle[at]:.1f}, 减半为 {middle[at] / 2:.1f}"
        finding.repair[int(at)] = "体重可能以斤填报: 除以 2 后符合同年级水平, 请学校核实后更正"
    return finding


def foreign_items(frame: Frame) -> Finding:
    """Flags values in items of the other sex, as when two columns were swapped; suggests the repair."""
    swaps = (("run_1000m", "run_800m"), ("pull_up", "sit_up_1min"))
    senior = frame.grade >= 21
    foreign = np.zeros(len(frame.rows), bool)
    for pair in swaps:
        for code in pair:
            if code in frame.foreign:
                foreign |= frame.foreign[code] & senior
    hits = frame.per_class(foreign)
    count = frame.per_class(senior)
    share, spread = usual_share(hits, count, least=0.001)
    p = beta_binomial_tail(hits, count, np.full(frame.count, share), spread)
    finding = Finding("foreign_items", "男女项目错列", p, is_fine=False)
    for at in np.flatnonzero(p < 0.05):
        names = [
            f"{ZH[a]}与{ZH[b]}"
            for a, b in swaps
            if a in frame.foreign and (frame.foreign[a] | frame.foreign[b])[frame.klass == at].any()
        ]
        finding.evidence[int(at)] = f"{hits[at]:.0f} 人在另一性别的项目中有成绩({'、'.join(names)})"
        finding.repair[int(at)] = f"{'、'.join(names)}两列可能互换: 换回后各得其项, 请学校核实后更正"
    return finding
