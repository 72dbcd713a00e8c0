"""Tests of one year's results alone: heaps, digits, too little spread, wrong columns and wrong units.

Each test is two functions: one tallies a part of the classes, the other judges all of them by the tallies. A
judging function returns p-values by class (NaN: the test does not apply) and the figures that a person needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobs.decide.fitness.review_frame import ROUND, ZH, Floats, Frame
from jobs.decide.fitness.review_tally import Tallies, Tally
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
_LEVELS = (60, 80, 85, 90, 100)
_DIGITS = {"height": 10, "weight": 10, "vital_capacity": 1, "sit_and_reach": 10}
_SWAPS = (("run_1000m", "run_800m"), ("pull_up", "sit_up_1min"))
# (item, step or level, hits, tested, usual share, p-value)
_Note = tuple[str, float, Floats, Floats, float, Floats]


@dataclass
class Finding:
    """One test of all classes. `is_fine`: fine-grained enough for an empirical null."""

    name: str
    zh: str
    p: Floats
    evidence: dict[int, str] = field(default_factory=dict)  # class -> what was found, for a person
    repair: dict[int, str] = field(default_factory=dict)
    is_fine: bool = True


def tally_round(frame: Frame) -> Tally:
    """Round values, by item and step."""
    found: Tally = {}
    for code in ROUND.keys() & frame.values.keys():
        values = frame.values[code]
        known = ~np.isnan(values)
        found[f"round.{code}.count"] = frame.per_class(known)
        for step in ROUND[code]:
            is_round = known & (np.abs(values / step - np.round(values / step)) < 1e-6)
            found[f"round.{code}.{step:g}"] = frame.per_class(is_round)
    return found


def heaping(tallies: Tallies) -> Finding:
    """Flags too many round values, by item and step, against all classes; items are combined by Fisher."""
    parts: list[Floats] = []
    notes: list[_Note] = []
    for code, steps in ROUND.items():
        if f"round.{code}.count" not in tallies or not (count := tallies[f"round.{code}.count"]).any():
            continue
        of_step = []
        for step in steps:
            hits = tallies[f"round.{code}.{step:g}"]
            share, spread = usual_share(hits, count, least=0.005)
            p = beta_binomial_tail(hits, count, np.full(tallies.count, share), spread)
            of_step.append(np.where(count >= LEAST_PUPILS, p, np.nan))
            notes.append((code, step, hits, count, share, p))
        parts.append(np.minimum(np.fmin.reduce(of_step) * len(steps), 1))
    finding = Finding("heaping", "整数堆积", fisher(parts, tallies.count))
    for at, own in _told(notes):
        finding.evidence[at] = "; ".join(
            f"{ZH[code]} {count[at]:.0f} 人中 {hits[at]:.0f} 人为 {step:g} 的整倍数"
            f"(通常约 {share * count[at]:.0f} 人)"
            for code, step, hits, count, share, _ in own
        )
    return finding


def _told(notes: list[_Note]) -> list[tuple[int, list[_Note]]]:
    """Of each class with something to tell, up to three notes, the least p-value first."""
    of_class: dict[int, list[tuple[float, int]]] = {}
    for n, note in enumerate(notes):
        for at in np.flatnonzero(note[5] < 0.01).tolist():
            of_class.setdefault(at, []).append((float(note[5][at]), n))
    return [(at, [notes[n] for _, n in sorted(own)[:3]]) for at, own in sorted(of_class.items())]


def tally_digits(frame: Frame) -> Tally:
    """How often each last digit comes, by item."""
    found: Tally = {}
    for code, unit in _DIGITS.items():
        if code not in frame.values:
            continue
        values = frame.values[code]
        known = ~np.isnan(values)
        digit = np.round(np.abs(values[known]) * unit).astype(np.int64) % 10
        table = np.bincount(frame.klass[known] * 10 + digit, minlength=frame.count * 10)
        found[f"digits.{code}"] = table.reshape(frame.count, 10).astype(float)
    return found


def last_digits(tallies: Tallies) -> Finding:
    """Flags last digits distributed unlike all classes': chi-squared over ten digits, combined by Fisher."""
    parts = []
    for code in tallies.codes("digits.", ""):
        table = tallies[f"digits.{code}"]
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
    return Finding("last_digits", "末位数字分布异常", fisher(parts, tallies.count))


def tally_steps(frame: Frame) -> Tally:
    """Values exactly on a step of the score table, by item and level."""
    found: Tally = {}
    for item in load().items:
        code = item.measure.code
        if code not in frame.values or code in ("bmi", "pull_up"):
            continue
        values = frame.values[code]
        known = ~np.isnan(values)
        units = np.round(np.nan_to_num(values) * 10**item.measure.decimals)
        for level in _LEVELS:
            edge = _edges(item.points, item.first, level, item.lower_is_better)[frame.own]
            found[f"steps.{code}.{level}.hits"] = frame.per_class(known & (units == edge))
            found[f"steps.{code}.{level}.count"] = frame.per_class(known & ~np.isnan(edge))
    return found


def _edges(points: NDArray[np.int8], first: int, level: int, lower_is_better: bool) -> Floats:
    """By group, the value in units that just earns `level` points; NaN where none does."""
    own = points[:, 1:] == level
    at = own.shape[1] - 1 - np.argmax(own[:, ::-1], axis=1) if lower_is_better else np.argmax(own, axis=1)
    return np.where(own.any(axis=1), first + at, np.nan)


def thresholds(tallies: Tallies) -> Finding:
    """Flags too many values exactly on a step of the score table; items are combined by Fisher."""
    by_level: dict[int, list[Floats]] = {}
    notes: list[_Note] = []
    for name in tallies.codes("steps.", ".hits"):
        code, level = name.split(".")
        hits, count = tallies[f"steps.{name}.hits"], tallies[f"steps.{name}.count"]
        if not count.any():
            continue
        share, spread = usual_share(hits, count, least=0.005)
        p = beta_binomial_tail(hits, count, np.full(tallies.count, share), spread)
        by_level.setdefault(int(level), []).append(np.where(count >= LEAST_PUPILS, p, np.nan))
        notes.append((code, float(level), hits, count, share, p))
    combined = [fisher(parts, tallies.count) for parts in by_level.values()]
    least = np.fmin.reduce(combined) if combined else np.full(tallies.count, np.nan)
    finding = Finding("threshold", "恰好踩线过多", np.minimum(least * len(combined), 1))
    for at, own in _told(notes):
        finding.evidence[at] = "; ".join(
            f"{ZH[code]} {count[at]:.0f} 人中 {hits[at]:.0f} 人恰为 {level:.0f} 分线"
            f"(通常约 {share * count[at]:.1f} 人)"
            for code, level, hits, count, share, _ in own
        )
    return finding


def tally_normal(frame: Frame) -> Tally:
    """Number, sum and squared distance from the class's mean of the normal scores, by item."""
    found: Tally = {}
    for code, normal in frame.normal.items():
        found |= sums(frame, f"normal.{code}", normal)
    return found


def sums(frame: Frame, name: str, values: Floats) -> Tally:
    """`<name>.count`, `.sum` and `.squares` of some values, NaN left out."""
    known = ~np.isnan(values)
    count, total = frame.per_class(known), frame.per_class(values)
    mean = total / np.maximum(count, 1)
    squares = frame.per_class(np.where(known, (values - mean[frame.klass]) ** 2, 0))
    return {f"{name}.count": count, f"{name}.sum": total, f"{name}.squares": squares}


def too_alike(tallies: Tallies) -> Finding:
    """Flags classes with less spread than their size allows: chi-squared, lower tail, all items."""
    scores, ratios = [], []
    for code in tallies.codes("normal.", ".squares"):
        count, squares = tallies[f"normal.{code}.count"], tallies[f"normal.{code}.squares"]
        usable = count >= LEAST_PUPILS
        if code in ("height", "weight", "pull_up") or not usable.any():
            continue
        variance = squares / np.maximum(count - 1, 1)
        usual = float(np.median(variance[usable]))
        ratios.append(np.where(usable, variance / usual, np.nan))
        p = stats.chi2.cdf(squares / usual, np.maximum(count - 1, 1))
        score = stats.norm.isf(np.clip(p, SMALLEST_P, 1 - 1e-12))
        scores.append(np.where(usable, score, np.nan))
    finding = Finding("too_alike", "班内差异过小", stouffer(scores, tallies.count))
    ratio = np.exp(mean_of([np.log(np.maximum(own, 1e-9)) for own in ratios], tallies.count))
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = f"班内各项方差约为通常的 {ratio[at]:.0%}"
    return finding


def too_good(tallies: Tallies) -> Finding:
    """Flags classes whose mean is far above that of other classes, measured by how those differ."""
    means = []
    for code in tallies.codes("normal.", ".sum"):
        if code not in ("height", "weight", "bmi", "pull_up"):
            count = tallies[f"normal.{code}.count"]
            mean = tallies[f"normal.{code}.sum"] / np.maximum(count, 1)
            means.append(np.where(count >= LEAST_PUPILS, mean, np.nan))
    mean = mean_of(means, tallies.count)
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


def tally_roll(frame: Frame) -> Tally:
    """Pupils with a result, those of them who are not on the school's roll, and of whom the roll tells."""
    if "is_on_roll_of_school" not in frame.rows:
        return {"roll.off": np.zeros(frame.count), "roll.count": np.zeros(frame.count)}
    on = frame.rows["is_on_roll_of_school"]
    off = (~on.astype("boolean")).fillna(False).to_numpy(bool)
    return {
        "roll.off": frame.per_class(off & frame.some),
        "roll.count": frame.per_class(frame.some),
        "roll.told": frame.per_class(on.notna().to_numpy()),
    }


def not_on_roll(tallies: Tallies) -> Finding:
    """Flags results of pupils who are not on the school's roll of the year."""
    finding = Finding("not_on_roll", "不在籍学生有成绩", np.full(tallies.count, np.nan), is_fine=False)
    if "roll.told" not in tallies or not tallies["roll.told"].any():
        return finding
    hits, count = tallies["roll.off"], tallies["roll.count"]
    share, spread = usual_share(hits, count, least=0.001)
    finding.p = beta_binomial_tail(hits, count, np.full(tallies.count, share), spread)
    for at in np.flatnonzero(finding.p < 0.05):
        finding.evidence[int(at)] = f"{hits[at]:.0f} 名有成绩的学生不在本校当年学籍名册中"
    return finding


def tally_weight(frame: Frame) -> Tally:
    """The class's median of the body mass index."""
    bmi = pd.Series(frame.measures["bmi"]).groupby(frame.klass)
    return {"bmi.median": bmi.median().reindex(range(frame.count)).to_numpy()}


def weight_unit(tallies: Tallies) -> Finding:
    """Flags classes whose weights look as if given in 斤 (half a kilogram); suggests the repair."""
    count = tallies["normal.bmi.count"]
    mean = tallies["normal.bmi.sum"] / np.maximum(count, 1)
    score = _robust(np.where(count >= LEAST_PUPILS, mean, np.nan))
    middle = tallies["bmi.median"]
    likely = (middle / 2 > 13) & (middle / 2 < 24) & (middle > 25)
    p = np.where(likely, np.clip(stats.norm.sf(score), SMALLEST_P, 1), 1.0)
    p[np.isnan(score)] = np.nan
    finding = Finding("weight_unit", "体重单位可能为斤", p, is_fine=False)
    for at in np.flatnonzero(likely & (p < 0.01)):
        finding.evidence[int(at)] = f"班级体重指数中位数 {middle[at]:.1f}, 减半为 {middle[at] / 2:.1f}"
        finding.repair[int(at)] = "体重可能以斤填报: 除以 2 后符合同年级水平, 请学校核实后更正"
    return finding


def tally_foreign(frame: Frame) -> Tally:
    """Values in items of the other sex, of pupils from the seventh grade on, and in which pairs of items."""
    senior = frame.grade >= 21
    foreign = np.zeros(len(frame.klass), bool)
    found: Tally = {}
    for pair in _SWAPS:
        own = np.logical_or.reduce(
            [frame.foreign[code] for code in pair if code in frame.foreign] or [foreign]
        )
        found[f"foreign.{pair[0]}.rows"] = frame.per_class(own)
        foreign = foreign | (own & senior)
    return found | {"foreign.hits": frame.per_class(foreign), "foreign.count": frame.per_class(senior)}


def foreign_items(tallies: Tallies) -> Finding:
    """Flags values in items of the other sex, as when two columns were swapped; suggests the repair."""
    hits, count = tallies["foreign.hits"], tallies["foreign.count"]
    share, spread = usual_share(hits, count, least=0.001)
    p = beta_binomial_tail(hits, count, np.full(tallies.count, share), spread)
    finding = Finding("foreign_items", "男女项目错列", p, is_fine=False)
    for at in np.flatnonzero(p < 0.05):
        names = [f"{ZH[a]}与{ZH[b]}" for a, b in _SWAPS if tallies[f"foreign.{a}.rows"][at]]
        finding.evidence[int(at)] = f"{hits[at]:.0f} 人在另一性别的项目中有成绩({'、'.join(names)})"
        finding.repair[int(at)] = f"{'、'.join(names)}两列可能互换: 换回后各得其项, 请学校核实后更正"
    return finding
