"""One level's forecast from every year, and the three levels one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.decide.places.model.births import Born, Reconciled, late_shares
from jobs.decide.places.model.candidates import Candidate
from jobs.decide.places.model.cells import Cells, sum_groups
from jobs.decide.places.model.intake import Above, Level, intake_growth
from jobs.decide.places.model.progression import progression
from jobs.decide.places.model.reconcile import drawn_to_above
from jobs.decide.places.model.spans import Spans
from jobs.decide.places.panel import BIRTH_LOOKBACK, Bools, Floats, Ints, Panel


def forecast_level(
    pupils: Floats,
    in_file: Bools,
    parent_of: Ints | None,
    births: Born | None,
    s: Candidate,
    horizon: int,
    above: Above | None,
) -> Level:
    """Forecast all units of one level from every year; rows of years that are not in the file are zero."""
    years, units, grades = pupils.shape
    cells = Cells.of(pupils, in_file)
    stay = np.exp(progression(pupils, cells, parent_of, s, horizon, above is None))
    growth, said = intake_growth(pupils, cells, in_file, births, s, horizon, above)
    both = [Reconciled(grade, born, good, pupils) for grade, (born, good) in said.items()]
    out = np.zeros((years, horizon, units, grades))
    spans = Spans(grades)
    at = np.arange(grades)[None]
    for t in range(years):
        if not in_file[t]:
            continue
        if cells.consecutive[t]:
            spans.learn(pupils, cells, t)
        for grade in both:
            grade.learn(t)
        openings = np.where(pupils[: t + 1].sum((0, 1)) > 0, spans.opening_ratios(), 0)
        filled, kinds = cells.has_pupils[t], spans.kinds(cells, t)
        current, opened = pupils[t], np.zeros((units, grades), dtype=bool)
        for h in range(horizon):
            lower, below_opened = np.zeros_like(current), np.zeros_like(opened)
            lower[:, 1:], below_opened[:, 1:] = current[:, :-1], opened[:, :-1]
            promoted = lower * stay[t, h]
            for grade in both:
                fed = filled[:, grade.grade] & cells.has_lower[t, :, grade.grade]
                promoted[:, grade.grade] = grade.mixed(t, h, promoted[:, grade.grade], fed)
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
    if above is not None and s.drawn:
        out = drawn_to_above(out, cells, pupils, in_file, above)
    return Level(out, {grade: good for grade, (_, good) in said.items()})


def _from_birth_years(values: NDArray[Any], births: Floats) -> NDArray[Any]:
    """The same by birth year. Before the first school year, units are taken to be as in that year."""
    early = np.repeat(values[:1], len(births) - len(values), axis=0)
    return np.concatenate([early, values])


def _none_if_absent(births: Floats, pupils: Floats) -> Floats:
    """Births with 0 instead of unknown where a unit does not exist yet, so that the sum stays known."""
    exists = _from_birth_years(pupils.sum(2) > 0, births)
    return np.where(np.isnan(births) & ~exists, 0, births)


class LevelBirths(NamedTuple):
    """The births of each level; None where it has none."""

    units: Born | None
    parents: Born | None
    total: Born | None


def births_of(panel: Panel, lags: Mapping[int, int]) -> LevelBirths:
    """Births of units, parents and the whole. What is given for one level is summed for those above."""
    pupils, parent_of, count = panel.pupils, panel.parent_of, max(len(panel.parents), 1)
    own, parents = panel.unit_births, panel.parent_births
    if parents is None and own is not None:
        group = _from_birth_years(parent_of, own)
        parents = sum_groups(_none_if_absent(own, pupils)[..., None], group, count)[..., 0]
    if parents is None:
        return LevelBirths(None, None, None)
    whole = _none_if_absent(parents, sum_groups(pupils, parent_of, count)).sum(1, keepdims=True)
    consecutive = np.concatenate([[False], panel.in_file[1:] & panel.in_file[:-1]])
    entrants = {g: pupils[..., g].sum(1, keepdims=True) for g in lags}
    late = {g: late_shares(entrants[g], whole, consecutive, lag) for g, lag in lags.items()}
    delay = _delay(panel)
    levels = (None if b is None else Born(b, lags, late, delay) for b in (own, parents, whole))
    return LevelBirths(*levels)


def _delay(panel: Panel) -> int:
    """Years after which births are known, as in the last year of the file."""
    given = [b for b in (panel.unit_births, panel.parent_births) if b is not None]
    known = [np.flatnonzero(np.isfinite(b).any(1)) for b in given]
    last = max((int(at[-1]) for at in known if len(at)), default=0)
    return max(len(panel.years) - 1 + BIRTH_LOOKBACK - last, 0) if last else 0


def candidate_forecast(panel: Panel, lags: Mapping[int, int], horizon: int, s: Candidate) -> Floats:
    """Pupils expected by one candidate, [year of origin, lead, unit, grade]: total, parents, then units.
    `lags`: years from birth to each grade that births predict."""
    pupils, in_file, parent_of = panel.pupils, panel.in_file, panel.parent_of
    born = births_of(panel, lags)
    total_pupils = pupils.sum(1, keepdims=True)
    total = forecast_level(total_pupils, in_file, None, born.total, s, horizon, None)
    if not panel.parents:
        top = Above(total_pupils, total, np.zeros_like(parent_of))
        return forecast_level(pupils, in_file, None, born.units, s, horizon, top).forecast
    parent_pupils = sum_groups(pupils, parent_of, len(panel.parents))
    top = Above(total_pupils, total, np.zeros((len(pupils), len(panel.parents)), dtype=np.int64))
    level = forecast_level(parent_pupils, in_file, None, born.parents, s, horizon, top)
    middle = Above(parent_pupils, level, parent_of)
    return forecast_level(pupils, in_file, parent_of, born.units, s, horizon, middle).forecast
