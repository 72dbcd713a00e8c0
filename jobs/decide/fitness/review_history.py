"""Tests of a class against the same pupils' results of the year before, and against the bureau's recheck."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from jobs.decide.fitness.review_frame import ZH, Floats, Frame
from jobs.decide.fitness.review_patterns import LEAST_PUPILS, Finding, sums
from jobs.decide.fitness.review_tally import Tallies, Tally
from jobs.decide.fitness.suspicion import SMALLEST_P, beta_binomial_tail, mean_of, stouffer, usual_share

# A pupil does not shrink by more than a slip of the reading, nor grow more in a year.
_LEAST_GROWTH_CM, _MOST_GROWTH_CM = -1.5, 14.0


def tally_changes(frame: Frame) -> Tally:
    """By item: each class's most frequent change since the year before, and how often each grade has each."""
    found: Tally = {}
    for code, then in frame.before.items():
        if code == "pull_up":
            continue
        change = np.round(frame.values[code] - then, 2)
        known = ~np.isnan(change)
        own = pd.DataFrame(
            {"klass": frame.klass[known], "change": change[known], "grade": frame.grade[known]}
        )
        sizes = own.value_counts(["klass", "change"]).reset_index(name="n")
        order = ["klass", "n", "change"]
        mode = sizes.sort_values(order, ascending=[True, False, True]).drop_duplicates("klass")
        at = mode["klass"].to_numpy(np.int64)
        for name, values in (
            ("change", mode["change"]),
            ("n", mode["n"]),
            ("kinds", sizes.groupby("klass").size().reindex(at)),
            ("grade", own.drop_duplicates("klass").set_index("klass")["grade"].reindex(at)),
        ):
            of_class = np.full(frame.count, np.nan)
            of_class[at] = values.to_numpy(float)
            found[f"change.{code}.{name}"] = of_class
        found[f"change.{code}.count"] = frame.per_class(known)
        found[f"change.{code}.usual"] = own.value_counts(["grade", "change"]).reset_index(name="n")
    return found


def repeated_year(tallies: Tallies) -> Finding:
    """Flags classes where many pupils changed by the same amount (including zero) in an item."""
    p = np.full(tallies.count, np.nan)
    finding = Finding("repeated_year", "与上年成绩雷同", p, is_fine=False)
    tried = 0
    for code in tallies.codes("change.", ".kinds"):
        count = tallies[f"change.{code}.count"]
        if count.max(initial=0) < LEAST_PUPILS:
            continue
        tried += 1
        at = np.flatnonzero(count > 0)
        mode = pd.DataFrame({name: tallies[f"change.{code}.{name}"][at] for name in ("grade", "change")})
        # Who is grown up changes little in height: what is usual is told by grade.
        table = tallies.tables[f"change.{code}.usual"].groupby(["grade", "change"])["n"].sum().reset_index()
        table["usual"] = table["n"] / table.groupby("grade")["n"].transform("sum")
        usual = mode.merge(table, on=["grade", "change"], how="left")["usual"].to_numpy()
        hits, kinds = tallies[f"change.{code}.n"][at], tallies[f"change.{code}.kinds"][at]
        # A change is as frequent as in all classes, yet in one class more alike than between them.
        share = np.clip(1.8 * usual, 0.01, 0.6)
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


def tally_growth(frame: Frame) -> Tally:
    """By item: number, sum and squares of the changes of normal scores, and their correlation."""
    found: Tally = {}
    for code, then in frame.normal_before.items():
        now = frame.normal[code]
        found |= sums(frame, f"growth.{code}", now - then)
        known = ~np.isnan(now) & ~np.isnan(then)
        count = frame.per_class(known)
        a, b = _centered(frame, now, known, count), _centered(frame, then, known, count)
        norm = np.sqrt(frame.per_class(a * a) * frame.per_class(b * b))
        found[f"growth.{code}.correlation"] = frame.per_class(a * b) / np.maximum(norm, 1e-9)
    return found


def _centered(frame: Frame, values: Floats, known: np.ndarray, count: Floats) -> Floats:
    mean = frame.per_class(np.where(known, values, 0)) / np.maximum(count, 1)
    return np.where(known, values - mean[frame.klass], 0)


def smooth_growth(tallies: Tallies) -> Finding:
    """Flags classes whose pupils changed too much alike: chi-squared, lower tail."""
    scores = []
    for code in tallies.codes("growth.", ".squares"):
        count, squares = tallies[f"growth.{code}.count"], tallies[f"growth.{code}.squares"]
        usable = count >= LEAST_PUPILS
        if code == "pull_up" or not usable.any():
            continue
        usual = float(np.median(squares[usable] / (count[usable] - 1)))
        lower = stats.chi2.cdf(squares / usual, np.maximum(count - 1, 1))
        score = stats.norm.isf(np.clip(lower, SMALLEST_P, 1 - 1e-12))
        scores.append(np.where(usable, score, np.nan))
    finding = Finding("smooth_growth", "同一学生变化过于一致", stouffer(scores, tallies.count))
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = "同一学生的年度变化彼此差异明显小于各班"
    return finding


def unlike_before(tallies: Tallies) -> Finding:
    """Flags classes whose results hardly correlate with the same pupils' year before, over all items."""
    scores, found = [], []
    for code in tallies.codes("growth.", ".correlation"):
        count, correlation = tallies[f"growth.{code}.count"], tallies[f"growth.{code}.correlation"]
        usable = count >= LEAST_PUPILS
        if code in ("height", "weight", "pull_up") or not usable.any():
            continue
        angle = np.arctanh(np.clip(correlation, -0.99, 0.99))
        usual = float(np.median(angle[usable]))
        scores.append(np.where(usable, (usual - angle) * np.sqrt(np.maximum(count - 3, 1)), np.nan))
        found.append(np.where(usable, correlation, np.nan))
    finding = Finding("unlike_before", "与本人上年成绩不相关", stouffer(scores, tallies.count))
    if found:
        mean = mean_of(found, tallies.count)
        usual_mean = float(np.nanmedian(mean))
        for at in np.flatnonzero(finding.p < 0.01):
            finding.evidence[int(at)] = f"与本人上年成绩的相关平均 {mean[at]:.2f}(各班约 {usual_mean:.2f})"
    return finding


def jump(tallies: Tallies) -> Finding:
    """Flags classes whose pupils improved far more, on average, than those of other classes."""
    parts = []
    for code in tallies.codes("growth.", ".sum"):
        if code not in ("height", "weight", "pull_up"):
            count = tallies[f"growth.{code}.count"]
            mean = tallies[f"growth.{code}.sum"] / np.maximum(count, 1)
            parts.append(np.where(count >= LEAST_PUPILS, mean, np.nan))
    mean = mean_of(parts, tallies.count)
    known = mean[~np.isnan(mean)]
    middle = float(np.median(known)) if len(known) else 0.0
    spread = float(np.median(np.abs(known - middle))) * 1.4826 if len(known) else 1.0
    score = (mean - middle) / max(spread, 1e-9)
    finding = Finding("jump", "整班进步过大", np.clip(stats.norm.sf(score), SMALLEST_P, 1))
    finding.p[np.isnan(mean)] = np.nan
    for at in np.flatnonzero(finding.p < 0.01):
        finding.evidence[int(at)] = f"同一学生的平均进步高出各班 {score[at]:.1f} 个标准差"
    return finding


def tally_height(frame: Frame) -> Tally:
    """Pupils with a height in both years, and those whose growth is impossible."""
    if "height" not in frame.before:
        return {}
    change = frame.values["height"] - frame.before["height"]
    odd = (change < _LEAST_GROWTH_CM) | (change > _MOST_GROWTH_CM)  # NaN is neither
    return {"height.odd": frame.per_class(odd), "height.count": frame.per_class(~np.isnan(change))}


def impossible_growth(tallies: Tallies) -> Finding:
    """Flags classes with pupils who shrank, or grew more than is possible in a year."""
    finding = Finding("impossible_growth", "身高变化不可能", np.full(tallies.count, np.nan), is_fine=False)
    if "height.odd" not in tallies:
        return finding
    hits, count = tallies["height.odd"], tallies["height.count"]
    share, spread = usual_share(hits, count, least=0.002)
    p = beta_binomial_tail(hits, count, np.full(tallies.count, share), spread)
    finding.p = np.where(count > 0, p, np.nan)
    for at in np.flatnonzero(p < 0.01):
        finding.evidence[int(at)] = f"{count[at]:.0f} 名同一学生中 {hits[at]:.0f} 人身高一年内变矮或增长过多"
    return finding


def tally_recheck(frame: Frame) -> Tally:
    """How far each value of a rechecked pupil lies from the recheck's, one row a value."""
    found = []
    for code, again in frame.again.items():
        difference = frame.values[code] - again
        known = ~np.isnan(difference)
        found.append(
            pd.DataFrame({"klass": frame.klass[known], "code": code, "difference": difference[known]})
        )
    return {"recheck": pd.concat(found)} if found else {}


def unlike_recheck(tallies: Tallies) -> Finding:
    """Flags classes that differ from the bureau's recheck by more than repeating a test explains."""
    none = Finding("unlike_recheck", "与抽查复核不符", np.full(tallies.count, np.nan))
    if "recheck" not in tallies.tables:
        return none
    odd, count, better = np.zeros((3, tallies.count))
    for _, own in tallies.tables["recheck"].groupby("code", sort=False):
        if len(own) < 20:
            continue
        difference, klass = own["difference"].to_numpy(float), own["klass"].to_numpy(np.int64)
        middle = np.median(difference)
        # Of counts half the differences may be none at all: then their tails say how far they spread.
        low, high = np.quantile(difference, [0.1, 0.9])
        spread = max(np.median(np.abs(difference - middle)) * 1.4826, (high - low) / 2.5631)
        if spread == 0:
            continue
        scaled = np.clip((difference - middle) / spread, -6, 6)
        odd += np.bincount(klass, scaled**2, tallies.count)
        count += np.bincount(klass, minlength=tallies.count)
        better += np.bincount(klass, np.abs(scaled) > 3, tallies.count)
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
