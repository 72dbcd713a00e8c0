"""Point forecasts of pupils by unit and grade, from every year of a panel, each blind to later years.

Every array has the year first, and what stands at year t was computed from years up to t. A level (total,
parents, units) is forecast below the one above it: log progression ratios as deviations from the ratio above,
split into one migration term a unit and year and one term a grade, each a discounted mean that is pulled to
zero where few pupils stand behind it; then intakes, spans that grow or shrink, and the cohorts' walk through
the grades.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.decide.places.panel import BIRTH_LOOKBACK, Bools, Floats, Ints, Panel

# Past this many pupils a ratio is as good as it gets: what moves it then is no sampling noise.
WEIGHT_CAP = 3000.0
ENTRY_SIZE = 1000.0  # intakes below are mostly noise, above mostly trend
BIRTH_DECAY = 0.4  # short memory for entrants per birth, so that a break is forgotten in three years
BIRTH_WEIGHT = 0.7  # share of the births' answer until the data say otherwise
BIRTH_WEIGHT_YEARS = 3.0
MEMORY_FIT = 10.0  # how soon the better memory of a grade wins
LATE_BIRTH_SHARES = (
    1 / 3,
    0.0,
    1 / 2,
)  # of entrants born a calendar year earlier; a September start gives a third
LARGEST_LOG = 1.5  # no cohort grows or shrinks beyond 4.5 times in a year, whatever a file says
FOLLOW_YEARS = 1.0  # for so long, an intake is held to its own course, whatever the record says
REBOUND = 0.2  # of an outlying year's excess that comes back in the next


@dataclass(frozen=True)
class Settings:
    """One candidate. Decays: weight that last year's evidence keeps; priors: pupils; pulls: shares."""

    total_decay: float = 0.4
    total_slow: float = 0.85
    total_grade_decay: float = 0.6
    unit_decay: float = 0.45
    unit_slow: float = 0.94
    unit_mix: float = 0.77  # weight of the fast mean, to the power of the lead
    unit_keep: float = 0.95
    unit_prior: float = 60.0
    unit_robust: bool = True  # mean over grades that leaves out a grade that is a world of its own
    unit_clip: float = (
        3.0  # of a unit's usual surprise; what exceeds it is a shock and is left out; 0 keeps all
    )
    grade_decays: tuple[float, float, float] = (0.4, 0.65, 0.85)  # chosen among by each grade's past errors
    grade_slow: float = 0.9
    grade_mix: float = 0.95
    grade_damp: float = 0.99
    grade_prior: float = 5.0
    entry_gain: float = 0.5
    entry_pull: tuple[float, float] = (0.8, 0.7)  # to the smoothed intake: small, large intakes
    entry_trend: tuple[float, float] = (0.05, 0.35)
    entry_trend_damp: float = 0.6
    entry_above: float = 0.15  # follows the growth forecast for the level above


BASE = Settings()
CANDIDATES: dict[str, Settings] = {
    "base": BASE,
    "smooth entry": replace(BASE, entry_gain=0.65, entry_pull=(1.0, 1.0), entry_trend=(0.05, 0.1)),
    "trend in entry": replace(BASE, entry_pull=(0.6, 0.3), entry_trend=(0.1, 0.5), entry_trend_damp=0.7),
    "migration reverts": replace(BASE, unit_keep=0.92, unit_mix=0.65, unit_clip=2.5),
    "migration persists": replace(BASE, unit_keep=1.0, unit_mix=0.9, unit_clip=0.0, unit_decay=0.55),
    "plain mean": replace(BASE, unit_robust=False, unit_clip=3.5, total_grade_decay=0.7),
    "pooled": replace(BASE, grade_prior=60.0, unit_prior=200.0, unit_robust=False),
    "quick ratios": replace(BASE, total_decay=0.6, total_grade_decay=0.4, grade_decays=(0.3, 0.5, 0.75)),
    "slow ratios": replace(BASE, total_decay=0.3, total_grade_decay=0.8, grade_decays=(0.55, 0.8, 0.92)),
}


def discounted_mean(x: Floats, weight: Floats, decay: float, prior: float) -> Floats:
    """Mean over the years so far, older ones discounted, pulled to zero by `prior`. NaN has no weight."""
    top, bottom, out = np.zeros(x.shape[1:]), np.zeros(x.shape[1:]), np.zeros_like(x)
    seen = np.isfinite(x)
    value, weight = np.where(seen, x, 0), np.where(seen, weight, 0)
    for t in range(len(x)):
        top = decay * top + weight[t] * value[t]
        bottom = decay * bottom + weight[t]
        out[t] = top / np.maximum(bottom + prior, 1e-9)
    return out


def fitted_mean(x: Floats, weight: Floats, decays: tuple[float, float, float], prior: float) -> Floats:
    """Discounted mean whose memory is fitted to each grade (last axis): three memories share by how well each
    would have told the next year over all units so far, the middle one favored until then."""
    means = np.stack([discounted_mean(x, weight, decay, prior) for decay in decays])
    known = np.where(np.isfinite(x), weight, 0)
    favor = np.array([0.25, 0.5, 0.25])[:, None]
    loss, years = np.zeros((len(decays), x.shape[-1])), np.zeros(x.shape[-1])
    out = np.zeros_like(x)
    for t in range(len(x)):
        if t >= 2:
            w = known[t]
            total = np.maximum(w.sum(0), 1e-9)
            error = np.abs(np.where(w > 0, x[t] - means[:, t - 1], 0))
            usual = (error[1] * w).sum(0) / total
            loss = 0.95 * loss + (np.minimum(error, 4 * usual) * w).sum(1) / total
            years = 0.95 * years + (w.sum(0) > 0)
        excess = loss / np.maximum(loss.mean(0), 1e-12) - np.sign(loss.mean(0))
        share = favor * np.exp(-MEMORY_FIT * years * excess)
        out[t] = (share[:, None] * means[:, t]).sum(0) / share.sum(0)
    return out


def without_shocks(
    x: Floats, weight: Floats, decay: float, prior: float, clip: float
) -> tuple[Floats, Floats]:
    """Cut surprises down to `clip` times what is usual for the unit; also return what was cut off.
    A unit needs two surprises on record first; its own scale leans on all units' median while it has few."""
    shape = x.shape[1:]
    top, bottom, scale, count = (np.zeros(shape) for _ in range(4))
    kept, excess = np.array(x), np.zeros_like(x)
    common = 0.0
    for t in range(len(x)):
        seen = np.isfinite(x[t]) & (weight[t] > 0)
        value, w = np.where(seen, x[t], 0), np.where(seen, weight[t], 0)
        root = np.sqrt(np.maximum(w, 1e-9))
        surprise = (value - top / np.maximum(bottom + prior, 1e-9)) * root
        judged = seen & (bottom > 0)
        limit = np.where(count >= 2, clip * (scale + 3 * common) / (count + 3), np.inf)
        usual = np.where(judged, np.clip(surprise, -limit, limit), surprise)
        excess[t] = np.where(judged, (surprise - usual) / root, 0)
        kept[t] = np.where(seen, value - excess[t], np.nan)
        if judged.any():
            size = np.abs(usual)
            median = float(np.median(size[judged]))
            common = median if common == 0 else common + 0.3 * (median - common)
            scale = np.where(judged, 0.85 * scale + size, scale)
            count = np.where(judged, 0.85 * count + 1, count)
        top = decay * top + w * np.where(seen, kept[t], 0)
        bottom = decay * bottom + w
    return kept, excess


def _weighted_mean(x: Floats, weight: Floats) -> Floats:
    weight = np.where(np.isfinite(x), weight, 0)
    total: Floats = (np.where(np.isfinite(x), x, 0) * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-12)
    return total


def _across_grades(x: Floats, weight: Floats, robust: bool) -> Floats:
    """Mean over grades, NaN where there is none."""
    mean = _weighted_mean(x, weight)
    for _ in range(2 if robust else 0):
        far = np.abs(x - mean[..., None])
        usual = _weighted_mean(far, weight)[..., None] + 1e-6
        mean = _weighted_mean(x, weight * np.minimum(1, usual / np.maximum(far, 1e-9)))
    return np.where(np.where(np.isfinite(x), weight, 0).sum(-1) > 0, mean, np.nan)


def _mix(fast: Floats, slow: Floats, mix: float, horizon: int, first: float) -> Floats:
    """[year, lead, …]: the fast mean gives way to the slow one as the lead grows."""
    share = mix ** (np.arange(horizon) + first)
    share = share.reshape(1, -1, *[1] * (fast.ndim - 1))
    return share * fast[:, None] + (1 - share) * slow[:, None]


def _deviation_forecast(x: Floats, pupils: Floats, s: Settings, horizon: int, is_total: bool) -> Floats:
    """Forecast [year, lead, unit, grade] of log ratios `x` (NaN: none), `pupils` standing behind them."""
    weight = pupils / (1 + pupils / WEIGHT_CAP)
    unit = _across_grades(x, weight, s.unit_robust)
    grade = x - unit[..., None]
    behind = weight.sum(-1)
    unit_weight = behind / (1 + behind / (5 * WEIGHT_CAP))
    excess = np.zeros_like(unit)
    if is_total:
        fast = discounted_mean(unit, unit_weight, s.total_decay, 0)
        slow = discounted_mean(unit, unit_weight, s.total_slow, 0)
        grade_fast = discounted_mean(grade, weight, s.total_grade_decay, 0)
        keep, grade_prior, grade_damp = 1.0, 0.0, 1.0
    else:
        if s.unit_clip:
            unit, excess = without_shocks(unit, unit_weight, s.unit_decay, s.unit_prior, s.unit_clip)
        fast = discounted_mean(unit, unit_weight, s.unit_decay, s.unit_prior)
        slow = discounted_mean(unit, unit_weight, s.unit_slow, s.unit_prior)
        grade_fast = fitted_mean(grade, weight, s.grade_decays, s.grade_prior)
        keep, grade_prior, grade_damp = s.unit_keep, s.grade_prior, s.grade_damp
    units = keep * _mix(fast, slow, s.unit_mix, horizon, 0.5)
    units[:, 0] -= REBOUND * excess
    grades = _mix(
        grade_fast,
        discounted_mean(grade, weight, s.grade_slow, grade_prior),
        s.grade_mix,
        horizon,
        0,
    )
    grades *= (grade_damp ** np.arange(1, horizon + 1)).reshape(1, -1, 1, 1)
    total: Floats = units[..., None] + grades
    return total


def sum_groups(values: Floats, group: Ints, count: int) -> Floats:
    """Sums over units, [year, …, unit, grade] → [year, …, group, grade], by `group` [year, unit]."""
    out = np.zeros((*values.shape[:-2], count, values.shape[-1]))
    for t in range(len(values)):
        order = np.argsort(group[t], kind="stable")
        ordered = group[t][order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        out[t][..., ordered[starts], :] = np.add.reduceat(values[t][..., order, :], starts, axis=-2)
    return out


def _of_group(values: NDArray[Any], group: Ints) -> NDArray[Any]:
    """The group's value for each unit, [year, group, …] → [year, unit, …]."""
    return np.stack([values[t][group[t]] for t in range(len(values))])


@dataclass(frozen=True)
class Cells:
    """What each grade of each unit is in each year, [year, unit, grade]."""

    has_pupils: Bools
    has_lower: Bools  # the grade below has pupils
    consecutive: Bools  # [year] this year and the one before are in the file
    intake: Bools  # pupils come from outside the unit
    fading: Bools  # the lowest grade left, whose feeding grade went last year

    @classmethod
    def of(cls, pupils: Floats, in_file: Bools) -> Cells:
        has_pupils = pupils > 0
        has_lower = np.zeros_like(has_pupils)
        has_lower[..., 1:] = has_pupils[..., :-1]
        consecutive = np.zeros(len(in_file), dtype=bool)
        consecutive[1:] = in_file[1:] & in_file[:-1]
        had_lower = np.zeros_like(has_pupils)
        had_lower[1:] = has_lower[:-1] & consecutive[1:, None, None]
        any_lower: Bools = np.cumsum(has_pupils, axis=2) > has_pupils
        fading = has_pupils & ~has_lower & had_lower & ~any_lower
        return cls(has_pupils, has_lower, consecutive, has_pupils & ~has_lower & ~fading, fading)


def _progression(
    pupils: Floats, cells: Cells, parent_of: Ints | None, s: Settings, horizon: int, is_total: bool
) -> Floats:
    """Log progression ratios into each grade, [year, lead, unit, grade]; zero where nothing is known."""
    units = pupils.shape[1]
    promoted = np.zeros_like(pupils)
    promoted[1:, :, 1:] = pupils[:-1, :, :-1]
    stays = (promoted > 0) & cells.has_pupils & cells.consecutive[:, None, None]
    now, before = np.where(stays, pupils, 0), np.where(stays, promoted, 0)

    def ratio(top: Floats, bottom: Floats) -> Floats:
        known = (top > 0) & (bottom > 0)
        logs = np.log(np.maximum(top, 1e-9) / np.maximum(bottom, 1e-9))
        return np.where(known, np.clip(logs, -LARGEST_LOG, LARGEST_LOG), np.nan)

    total_before = before.sum(1, keepdims=True)
    total = ratio(now.sum(1, keepdims=True), total_before)
    out = np.repeat(_deviation_forecast(total, total_before, s, horizon, True), units, axis=2)
    above = total
    if parent_of is not None:
        count = int(parent_of.max()) + 1
        parent_before = sum_groups(before, parent_of, count)
        parents = ratio(sum_groups(now, parent_of, count), parent_before)
        deviation = _deviation_forecast(parents - total, parent_before, s, horizon, False)
        out += _of_group(deviation.swapaxes(1, 2), parent_of).swapaxes(1, 2)
        above = _of_group(parents, parent_of)
    if not is_total:
        out += _deviation_forecast(ratio(now, before) - above, before, s, horizon, False)
    return out


def _smoothed_intake(logs: Floats, cells: Cells, gain: float) -> Floats:
    """Smoothed log intake; it begins anew after a gap, where another set of pupils may have been counted."""
    out, level = np.array(logs), np.array(logs[0])
    for t in range(1, len(logs)):
        known = cells.has_pupils[t] & cells.has_pupils[t - 1] & cells.consecutive[t]
        level = np.where(known, level + gain * (logs[t] - level), logs[t])
        out[t] = level
    return out


def _carried(births: Floats) -> Floats:
    """Births with up to three missing years filled from the last known one."""
    out = np.array(births)
    for t in range(1, len(out)):
        out[t] = np.where(np.isfinite(out[t]), out[t], out[t - 1])
    for t in range(len(out)):
        known = np.isfinite(births[max(0, t - 3) : t + 1]).any(0)
        out[t] = np.where(known, out[t], np.nan)
    return out


def _entry_from_births(
    logs: Floats, births: Floats, consecutive: Bools, entry_lag: int, horizon: int
) -> tuple[Floats, Bools]:
    """Log growth of the lowest grade, [year, lead, unit], by entrants per birth smoothed over recent years,
    and where it is known. Births after year t are never read: past the lag the last ones known stand."""
    years, units = logs.shape
    finite = np.isfinite(logs)
    # Across a gap another set of pupils may be counted: each run of years has its own ratio.
    runs = np.split(np.arange(years), np.flatnonzero(~consecutive))
    carried = _carried(births)
    options, losses = [], np.zeros((len(LATE_BIRTH_SHARES), years))
    for k, late in enumerate(LATE_BIRTH_SHARES):

        def born(source: Floats, t: int, late: float = late) -> Floats:
            at = t + BIRTH_LOOKBACK - entry_lag
            mixed: Floats = (1 - late) * source[at] + late * source[at - 1]
            return np.log(np.where(mixed > 0, mixed, np.nan))

        ratio = np.where(finite, logs - np.stack([born(births, t) for t in range(years)]), np.nan)
        level, known = np.zeros_like(ratio), np.zeros(ratio.shape, dtype=bool)
        for run in runs:
            level[run] = discounted_mean(ratio[run], np.ones_like(ratio[run]), BIRTH_DECAY, 0)
            known[run] = np.cumsum(np.isfinite(ratio[run]), axis=0) >= 2
        growth = np.full((years, horizon, units), np.nan)
        for t in range(years):
            for h in range(horizon):
                growth[t, h] = level[t] + born(carried, t + min(h + 1, entry_lag)) - logs[t]
        options.append(np.where(known[:, None], growth, np.nan))
        change = np.where(consecutive[1:, None], np.abs(np.diff(ratio, axis=0)), np.nan)
        losses[k, 1:] = np.nancumsum(np.where(np.isfinite(change), change, 0).sum(1))
    best = np.argmin(losses, axis=0)
    chosen = np.stack([options[best[t]][t] for t in range(years)])
    good = np.isfinite(chosen)
    return np.where(good, np.clip(chosen, -0.7, 0.7), 0), good


def _births_weight(
    logs: Floats, trend: Floats, born: Floats, good: Bools, pupils: Floats, in_file: Bools, lead: int
) -> Floats:
    """Share given to the births' answer in each year: the one that would have erred least so far, starting
    from BIRTH_WEIGHT as if that had been right for a few years."""
    grid = np.linspace(0, 1, 11)
    out = np.full(len(logs), BIRTH_WEIGHT)
    loss, years = np.zeros(len(grid)), 0.0
    for t in range(lead, len(logs)):
        s = t - lead
        use = good[s] & (pupils[t] > 0) & (pupils[s] > 0)
        if in_file[t] and in_file[s] and use.any():
            weight = pupils[s][use] / (pupils[s][use] + 100)
            guess = born[s][use][:, None] * grid + trend[s][use][:, None] * (1 - grid)
            error = (np.abs((logs[t] - logs[s])[use][:, None] - guess) * weight[:, None]).sum(0)
            share = use.sum() / (use.sum() + 5)
            loss = 0.9 * loss + share * error / max(error.mean(), 1e-9)
            years = 0.9 * years + share
        if years:
            out[t] = grid[np.argmin(loss + BIRTH_WEIGHT_YEARS * (grid - BIRTH_WEIGHT) ** 2)]
    return out


def _following(
    own: Floats, shared: Floats, known: Bools, logs: Floats, cells: Cells, in_file: Bools
) -> Floats:
    """Growth of intakes, [year, lead, unit, grade]: a unit's own course, and its share of the level above
    (where `known`), mixed as would have erred least so far, each grade and lead for itself over all units.
    Schools that take the leavers of others follow their district's cohorts; others follow themselves."""
    years, horizon, _, grades = own.shape
    grid = np.linspace(0, 1, 6)
    out = np.array(own)
    held = FOLLOW_YEARS * grid[:, None] ** 2
    for h in range(horizon):
        loss, record = np.zeros((len(grid), grades)), np.zeros(grades)
        for t in range(years):
            s = t - h - 1
            if s >= 0 and in_file[t] and in_file[s]:
                unit, grade = np.nonzero(known[s, h] & cells.intake[s] & cells.has_pupils[t])
                if len(unit):
                    size = np.exp(logs[s, unit, grade])
                    weight = size / (size + 100)
                    change = logs[t, unit, grade] - logs[s, unit, grade]
                    a, b = own[s, h, unit, grade], shared[s, h, unit, grade]
                    count = np.bincount(grade, minlength=grades)
                    error = np.stack(
                        [np.bincount(grade, weight * np.abs(change - a - w * (b - a)), grades) for w in grid]
                    )
                    belief = count / (count + 10)
                    loss = 0.9 * loss + belief * error / np.maximum(error.mean(0), 1e-9)
                    record = 0.9 * record + belief
            share = np.where(record > 0, grid[np.argmin(loss + held, axis=0)], 0.0)
            mixed = own[t, h] + share * (shared[t, h] - own[t, h])
            out[t, h] = np.where(known[t, h], mixed, own[t, h])
    return out


@dataclass(frozen=True)
class Level:
    """One level's answer: pupils [year, lead, unit, grade], and where births speak for its entry."""

    forecast: Floats
    from_births: Bools  # [year, lead, unit]


@dataclass(frozen=True)
class Above:
    """The level above: its pupils and forecast, and which of its members each unit belongs to."""

    pupils: Floats
    level: Level
    member: Ints


def _intake_growth(
    pupils: Floats,
    cells: Cells,
    in_file: Bools,
    births: Floats | None,
    entry_lag: int,
    s: Settings,
    horizon: int,
    above: Above | None,
) -> tuple[Floats, Bools]:
    """Log growth of each grade filled from outside, [year, lead, unit, grade], and where births speak."""
    years, units, grades = pupils.shape
    logs = np.log(np.maximum(pupils, 1e-9))
    large = pupils / (pupils + ENTRY_SIZE)
    small = 1 - large
    pull = s.entry_pull[0] * small + s.entry_pull[1] * large
    level = pull * (_smoothed_intake(logs, cells, s.entry_gain) - logs)
    change = np.full_like(logs, np.nan)
    both = cells.has_pupils[1:] & cells.has_pupils[:-1] & cells.consecutive[1:, None, None]
    change[1:] = np.where(both, logs[1:] - logs[:-1], np.nan)
    weight = pupils / (1 + pupils / WEIGHT_CAP)
    momentum = discounted_mean(change, weight, 0.6, 100.0 if above is not None else 0.0)
    momentum *= s.entry_trend[0] * small + s.entry_trend[1] * large
    growth = np.zeros((years, horizon, units, grades))
    followed, clear = np.zeros_like(growth), np.zeros(growth.shape, dtype=bool)
    for h in range(horizon):
        growth[:, h] = level + momentum * (s.entry_trend_damp ** np.arange(h + 1)).sum()
        if above is not None:
            ahead = above.level.forecast[:, h]
            known = (above.pupils > 0) & (ahead > 0)
            rise = np.where(known, np.log(np.maximum(ahead, 1e-9) / np.maximum(above.pupils, 1e-9)), 0)
            followed[:, h] = _of_group(np.clip(rise, -LARGEST_LOG, LARGEST_LOG), above.member)
            clear[:, h] = _of_group(known, above.member)
    if above is not None:
        over = _of_group(np.log(np.maximum(above.pupils, 1e-9)), above.member)
        part = np.where(over > -20, logs - over, 0)
        steady = _smoothed_intake(part, cells, s.entry_gain) - part
        shared = steady[:, None] + followed
        growth += s.entry_above * np.clip(followed, -0.5, 0.5)
        growth = _following(growth, shared, clear, logs, cells, in_file)
    born, good = followed[..., 0], np.zeros((years, horizon, units), dtype=bool)
    if above is not None:
        good = _of_group(above.level.from_births.swapaxes(1, 2), above.member).swapaxes(1, 2)
    if births is not None:
        entrants = np.where(cells.has_pupils[..., 0], logs[..., 0], np.nan)
        own, known = _entry_from_births(entrants, births, cells.consecutive, entry_lag, horizon)
        born, good = np.where(known, own, born), known | good
    if good.any():
        for h in range(horizon):
            trend = growth[:, h, :, 0]
            share = _births_weight(
                logs[..., 0], trend, born[:, h], good[:, h], pupils[..., 0], in_file, h + 1
            )[:, None]
            growth[:, h, :, 0] = np.where(good[:, h], share * born[:, h] + (1 - share) * trend, trend)
    return np.clip(growth, -LARGEST_LOG, LARGEST_LOG), good


class Spans:
    """How grades above the top one, and grades without a feeder, have fared in all units; older years less.
    Kinds of grade below an empty one: 0 was there last year, 1 is new, 2 unknown (no last year)."""

    def __init__(self, grades: int) -> None:
        self.arrived, self.below, self.opened, self.cells = (np.zeros((3, grades)) for _ in range(4))
        self.left, self.had = 0.0, 0.0

    @staticmethod
    def kinds(cells: Cells, t: int) -> Ints:
        if not cells.consecutive[t]:
            return np.full(cells.has_pupils.shape[1:], 2)
        return np.where(cells.has_lower[t - 1], 0, 1)

    def learn(self, pupils: Floats, cells: Cells, t: int) -> None:
        """Take in what happened between t − 1 and t."""
        for table in (self.arrived, self.below, self.opened, self.cells):
            table *= 0.85
        living = (pupils[t].sum(1) > 0)[:, None]
        empty = cells.has_lower[t - 1] & ~cells.has_pupils[t - 1] & living
        lower = np.zeros_like(pupils[t])
        lower[:, 1:] = pupils[t - 1][:, :-1]
        kinds = self.kinds(cells, t - 1)
        for kind in range(3):
            mine = empty & (kinds == kind)
            self.arrived[kind] += np.where(mine, pupils[t], 0).sum(0)
            self.below[kind] += np.where(mine, lower, 0).sum(0)
            self.opened[kind] += (mine & cells.has_pupils[t]).sum(0)
            self.cells[kind] += mine.sum(0)
        fading = cells.fading[t - 1] & living
        self.left = 0.85 * self.left + float(pupils[t][fading].sum())
        self.had = 0.85 * self.had + float(pupils[t - 1][fading].sum())

    def opening_ratios(self) -> Floats:
        """Pupils of a newly opened grade per pupil of the grade below, [kind, grade]; 0 where more units than
        not stop there."""
        overall = (self.opened.sum(1, keepdims=True) + 0.5) / (self.cells.sum(1, keepdims=True) + 1)
        chance = (self.opened + 5 * overall) / (self.cells + 5)
        below = self.below.sum(1, keepdims=True)
        mean = np.where(below > 0, self.arrived.sum(1, keepdims=True) / np.maximum(below, 1e-9), 0)
        expected = (self.arrived + 2000 * mean) / (self.below + 2000)
        return np.where(chance > 0.5, expected / np.maximum(chance, 0.5), 0)

    def fading_share(self) -> float:
        return (self.left + 30) / (self.had + 100)


def forecast_level(
    pupils: Floats,
    in_file: Bools,
    parent_of: Ints | None,
    births: Floats | None,
    entry_lag: int,
    s: Settings,
    horizon: int,
    above: Above | None,
) -> Level:
    """Forecast all units of one level from every year; rows of years that are not in the file are zero."""
    years, units, grades = pupils.shape
    cells = Cells.of(pupils, in_file)
    stay = np.exp(_progression(pupils, cells, parent_of, s, horizon, above is None))
    growth, good = _intake_growth(pupils, cells, in_file, births, entry_lag, s, horizon, above)
    out = np.zeros((years, horizon, units, grades))
    spans = Spans(grades)
    at = np.arange(grades)[None]
    for t in range(years):
        if not in_file[t]:
            continue
        if cells.consecutive[t]:
            spans.learn(pupils, cells, t)
        openings = np.where(pupils[: t + 1].sum((0, 1)) > 0, spans.opening_ratios(), 0)
        filled, kinds = cells.has_pupils[t], spans.kinds(cells, t)
        current, opened = pupils[t], np.zeros((units, grades), dtype=bool)
        for h in range(horizon):
            lower, below_opened = np.zeros_like(current), np.zeros_like(opened)
            lower[:, 1:], below_opened[:, 1:] = current[:, :-1], opened[:, :-1]
            promoted = lower * stay[t, h]
            new = lower * openings[kinds if h == 0 else np.where(below_opened, 1, 0), at]
            fading = current * spans.fading_share() if h == 0 else np.zeros_like(current)
            following = np.where(
                filled & cells.has_lower[t],
                promoted,
                np.where(
                    cells.intake[t],
                    pupils[t] * np.exp(growth[t, h]),
                    np.where(cells.fading[t], fading, np.where(current > 0, promoted, new)),
                ),
            )
            opened = (following > 0) & (current <= 0) & ~filled
            current = following
            out[t, h] = current
    return Level(out, good)


def _from_birth_years(values: NDArray[Any], births: Floats) -> NDArray[Any]:
    """The same by birth year: births reach back before the first school year, when units stand as in it."""
    early = np.repeat(values[:1], len(births) - len(values), axis=0)
    return np.concatenate([early, values])


def _none_if_absent(births: Floats, pupils: Floats) -> Floats:
    """Births with zero, not unknown, where the unit does not exist yet, so that it does not void the sum."""
    exists = _from_birth_years(pupils.sum(2) > 0, births)
    return np.where(np.isnan(births) & ~exists, 0, births)


def candidate_forecast(panel: Panel, entry_lag: int, horizon: int, s: Settings) -> Floats:
    """Pupils expected by one candidate, [year of origin, lead, unit, grade]: total, parents, then units."""
    pupils, in_file, parent_of = panel.pupils, panel.in_file, panel.parent_of
    count = max(len(panel.parents), 1)
    own, parents = panel.unit_births, panel.parent_births
    if parents is None and own is not None:
        group = _from_birth_years(parent_of, own)
        parents = sum_groups(_none_if_absent(own, pupils)[..., None], group, count)[..., 0]
    whole = None
    if parents is not None:
        whole = _none_if_absent(parents, sum_groups(pupils, parent_of, count)).sum(1, keepdims=True)
    total_pupils = pupils.sum(1, keepdims=True)
    total = forecast_level(total_pupils, in_file, None, whole, entry_lag, s, horizon, None)
    if not panel.parents:
        top = Above(total_pupils, total, np.zeros_like(parent_of))
        return forecast_level(pupils, in_file, None, own, entry_lag, s, horizon, top).forecast
    parent_pupils = sum_groups(pupils, parent_of, count)
    top = Above(total_pupils, total, np.zeros((len(pupils), count), dtype=np.int64))
    level = forecast_level(parent_pupils, in_file, None, parents, entry_lag, s, horizon, top)
    middle = Above(parent_pupils, level, parent_of)
    return forecast_level(pupils, in_file, parent_of, own, entry_lag, s, horizon, middle).forecast
