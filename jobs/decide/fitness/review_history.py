"""Tests of a class against the same pupils' results of the year before, and against the bureau's recheck."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from jobs.decide.fitness.review_frame import ZH, Floats, Frame, make_frame
from jobs.decide.fitness.review_patterns import LEAST_PUPILS, Finding
from jobs.decide.fitness.suspicion import SMALLEST_P, beta_binomial_tail, mean_of, stouffer, usual_share

# A pupil does not shrink by more than a slip of the reading, nor grow more in a year.
_LEAST_GROWTH_CM, _MOST_GROWTH_CM = -1.5, 14.0


class Before:
    """Results of the year before, in the rows of this year's frame; NaN where a pupil has none."""

    def __init__(self, frame: Frame, previous: pd.DataFrame | None) -> None:
        self.values: dict[str, Floats] = {}
        self.normal: dict[str, Floats] = {}
        if previous is None or previous.empty:
            return
        then = make_frame(previous.drop_duplicates("pupil_key"))
        place = pd.Series(np.arange(len(then.rows)), index=then.rows["pupil_key"].to_numpy())
        at = place.reindex(frame.rows["pupil_key"].to_numpy()).to_numpy(float)
        found = ~np.isnan(at)
        index = np.where(found, np.nan_to_num(at), 0).astype(np.int64)
        # Who repeats a year or comes from another ladder grew by another rule.
        found &= _ladder(frame.grade) == _ladder(then.grade[index]) + 1
        for code in frame.values:
            if code in then.values:
                self.values[code] = np.where(found, then.values[code][index], np.nan)
                self.normal[code] = np.where(found, then.normal[code][index], np.nan)

    def __bool__(self) -> bool:
        return any((~np.isnan(values)).any() for values in self.values.values())


def _ladder(grade: np.ndarray) -> np.ndarray:
    """Grade codes 11–16, 21–23, 31–33 as consecutive years."""
    return np.select([grade < 20, grade < 30], [grade - 10, grade - 14], grade - 21)


def repeated_year(frame: Frame, before: Before) -> Finding:
    """Flags classes where many pupils changed by the same amount (including zero) in an item."""
    p = np.full(frame.count, np.nan)
    finding = Finding("repeated_year", "与上年成绩雷同", p, is_fine=False)
    tried = 0
    for code, then in before.values.items():
        if code == "pull_up":
            continue
        change = np.round(frame.values[code] - then, 2)
        known = ~np.isnan(change)
        count = frame.per_class(known)
        if count.max(initial=0) < LEAST_PUPILS:
            continue
        tried += 1
        own = pd.DataFrame(
            {"klass": frame.klass[known], "change": change[known], "grade": frame.grade[known]}
        )
        sizes = own.value_counts(["klass", "change"]).reset_index(name="n")
        mode = sizes.sort_values(["klass", "n", "change"], ascending=[True, False, True]).drop_duplicates(
            "klass"
        )
        # Who is grown up changes little in height: what is usual is told by grade.
        usual = own.groupby("grade")["change"].value_counts(normalize=True).rename("usual").reset_index()
        grade_of = own.drop_duplicates("klass").set_index("klass")["grade"]
        mode["grade"] = mode["klass"].map(grade_of)
        mode = mode.merge(usual, on=["grade", "change"], how="left")
        at = mode["klass"].to_numpy()
        hits = mode["n"].to_numpy(float)
        kinds = sizes.groupby("klass").size().reindex(at).to_numpy(float)
        # A change is as frequent as in all classes, yet in one class more alike than between them.
        share = np.clip(1.8 * mode["usual"].to_numpy(), 0.01, 0.6)
        tail = beta_binomial_tail(hits, count[at], share, 0.02) * kinds
        tail = np.where(count[at] >= LEAST_PUPILS, np.clip(tail, SMALLEST_P, 1), np.nan)
        better = np.isnan(p[at]) | (tail < p[at])
        for n in np.flatnonzero(better & (tail < 1e-4)):
            by = mode["change"].iloc[n]
            what = "与上年完全相同" if by == 0 else f"比上年恰好变化 {by:+g}"
            finding.evidence[int(at[n])] = (
                f"{ZH[code]} {count[at[n]]:.0f} 名同一学生中 {hits[n]:.0f} 人{what}"
            )
        p[at] = np.where(better, tail, p[at])
    finding.p = np.minimum(p * max(tried, 1), 1)
    return finding


def smooth_growth(frame: Frame, before: Before) -> Finding:
    """Flags classes whose pupils changed too much alike: chi-squared, lower tail."""
    scores = []
    for code, then in before.normal.items():
        if code == "pull_up":
            continue
        change = frame.normal[code] - then
        known = ~np.isnan(change)
        count = frame.per_class(known)
        usable = count >= LEAST_PUPILS
        if not usable.any():
            continue
        mean = frame.per_class(change) / np.maximum(count, 1)
        squares = frame.per_class(np.where(known, (change - mean[frame.klass]) ** 2, 0))
        usual = float(np.median(squares[usable] / (count[usable] - 1)))
        lower = stats.chi2.cdf(squares / usual, np.maximum(count - 1, 1))
        score = stats.norm.isf(np.clip(lower, SMALLEST_P, 1 - 1e-12))
        scores.append(np.where(usable, score, np.nan))
    finding = Finding("smooth_growth", "同一学生变化过于一致", stouffer(scores, frame.count))
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = "同一学生的年度变化彼此差异明显小于各班"
    return finding


def unlike_before(frame: Frame, before: Before) -> Finding:
    """Flags classes whose results hardly correlate with the same pupils' year before, over all items."""
    scores, found = [], []
    for code, then in before.normal.items():
        if code in ("height", "weight", "pull_up"):
            continue
        now = frame.normal[code]
        known = ~np.isnan(now) & ~np.isnan(then)
        count = frame.per_class(known)
        usable = count >= LEAST_PUPILS
        if not usable.any():
            continue
        a, b = _centered(frame, now, known, count), _centered(frame, then, known, count)
        norm = np.sqrt(frame.per_class(a * a) * frame.per_class(b * b))
        correlation = frame.per_class(a * b) / np.maximum(norm, 1e-9)
        angle = np.arctanh(np.clip(correlation, -0.99, 0.99))
        usual = float(np.median(angle[usable]))
        scores.append(np.where(usable, (usual - angle) * np.sqrt(np.maximum(count - 3, 1)), np.nan))
        found.append(np.where(usable, correlation, np.nan))
    finding = Finding("unlike_before", "与本人上年成绩不相关", stouffer(scores, frame.count))
    if found:
        mean = mean_of(found, frame.count)
        usual_mean = float(np.nanmedian(mean))
        for at in np.flatnonzero(finding.p < 0.01):
            finding.evidence[int(at)] = f"与本人上年成绩的相关平均 {mean[at]:.2f}(各班约 {usual_mean:.2f})"
    return finding


def _centered(frame: Frame, values: Floats, known: np.ndarray, count: Floats) -> Floats:
    mean = frame.per_class(np.where(known, values, 0)) / np.maximum(count, 1)
    return np.where(known, values - mean[frame.klass], 0)


def jump(frame: Frame, before: Before) -> Finding:
    """Flags classes whose pupils improved far more, on average, than those of other classes."""
    parts = []
    for code, then in before.normal.items():
        if code in ("height", "weight", "pull_up"):
            continue
        change = frame.normal[code] - then
        count = frame.per_class(~np.isnan(change))
        parts.append(np.where(count >= LEAST_PUPILS, frame.per_class(change) / np.maximum(count, 1), np.nan))
    if not parts:
        return Finding("jump", "整班进步过大", np.full(frame.count, np.nan))
    mean = mean_of(parts, frame.count)
    known = mean[~np.isnan(mean)]
    middle = float(np.median(known)) if len(known) else 0.0
    spread = float(np.median(np.abs(known - middle))) * 1.4826 if len(known) else 1.0
    score = (mean - middle) / max(spread, 1e-9)
    finding = Finding("jump", "整班进步过大", np.clip(stats.norm.sf(score), SMALLEST_P, 1))
    finding.p[np.isnan(mean)] = np.nan
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = f"同一学生的平均进步高出各班 {score[at]:.1f} 个标准差"
    return finding


def impossible_growth(frame: Frame, before: Before) -> Finding:
    """Flags classes with pupils who shrank, or grew more than is possible in a year."""
    if "height" not in before.values:
        return Finding("impossible_growth", "身高变化不可能", np.full(frame.count, np.nan), is_fine=False)
    change = frame.values["height"] - before.values["height"]
    known = ~np.isnan(change)
    odd = known & ((change < _LEAST_GROWTH_CM) | (change > _MOST_GROWTH_CM))
    hits, count = frame.per_class(odd), frame.per_class(known)
    share, spread = usual_share(hits, count, least=0.002)
    p = beta_binomial_tail(hits, count, np.full(frame.count, share), spread)
    finding = Finding("impossible_growth", "身高变化不可能", np.where(count > 0, p, np.nan), is_fine=False)
    for at in np.flatnonzero(p < 0.01):
        finding.evidence[int(at)] = f"{count[at]:.0f} 名同一学生中 {hits[at]:.0f} 人身高一年内变矮或增长过多"
    return finding


def unlike_recheck(frame: Frame, rechecks: pd.DataFrame | None) -> Finding:
    """Flags classes that differ from the bureau's recheck by more than repeating a test explains."""
    none = Finding("unlike_recheck", "与抽查复核不符", np.full(frame.count, np.nan))
    if rechecks is None or rechecks.empty:
        return none
    again = make_frame(rechecks.drop_duplicates("pupil_key"))
    place = pd.Series(np.arange(len(again.rows)), index=again.rows["pupil_key"].to_numpy())
    at = place.reindex(frame.rows["pupil_key"].to_numpy()).to_numpy(float)
    found = ~np.isnan(at)
    index = np.where(found, np.nan_to_num(at), 0).astype(np.int64)
    odd, count, better = np.zeros(frame.count), np.zeros(frame.count), np.zeros(frame.count)
    for code, values in frame.values.items():
        if code not in again.values:
            continue
        difference = np.where(found, values - again.values[code][index], np.nan)
        known = ~np.isnan(difference)
        if known.sum() < 20:
            continue
        middle = np.nanmedian(difference)
        # Of counts half the differences may be none at all: then their tails say how far they spread.
        low, high = np.nanquantile(difference, [0.1, 0.9])
        spread = max(np.nanmedian(np.abs(difference - middle)) * 1.4826, (high - low) / 2.5631)
        if spread == 0:
            continue
        scaled = np.clip((difference - middle) / spread, -6, 6)
        odd += frame.per_class(scaled**2)
        count += frame.per_class(known)
        better += frame.per_class(known & (np.abs(scaled) > 3))
    usable = count >= LEAST_PUPILS * 3
    if not usable.any():
        return none
    usual = float(np.median(odd[usable] / count[usable]))
    # The pupils of a class share testers and day: their differences count for less than as many draws.
    p = stats.chi2.sf(odd / usual / 2, np.maximum(count / 2, 1))
    none.p = np.where(usable, np.clip(p, SMALLEST_P, 1), np.nan)
    for at_class in np.flatnonzero(np.nan_to_num(none.p, nan=1) < 0.01):
        none.evidence[int(at_class)] = (
            f"与抽查复核同一学生的 {count[at_class]:.0f} 个数值中, {better[at_class]:.0f} 个相差超出复测误差"
        )
    return none
