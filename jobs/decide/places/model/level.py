"""One level's forecast from every year, and the three levels one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.decide.places.model.candidates import Candidate
from jobs.decide.places.model.cells import Cells, sum_groups
from jobs.decide.places.model.intake import Above, Level, intake_growth
from jobs.decide.places.model.progression import progression
from jobs.decide.places.model.spans import Spans
from jobs.decide.places.panel import Bools, Floats, Ints, Panel


def forecast_level(
    pupils: Floats,
    in_file: Bools,
    parent_of: Ints | None,
    births: Floats | None,
    entry_lag: int,
    s: Candidate,
    horizon: int,
    above: Above | None,
) -> Level:
    """Forecast all units of one level from every year; rows of years that are not in the file are zero."""
    years, units, grades = pupils.shape
    cells = Cells.of(pupils, in_file)
    stay = np.exp(progression(pupils, cells, parent_of, s, horizon, above is None))
    growth, good = intake_growth(pupils, cells, in_file, births, entry_lag, s, horizon, above)
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
    """The same by birth year. Before the first school year, units are taken to be as in that year."""
    early = np.repeat(values[:1], len(births) - len(values), axis=0)
    return np.concatenate([early, values])


def _none_if_absent(births: Floats, pupils: Floats) -> Floats:
    """Births with 0 instead of unknown where a unit does not exist yet, so that the sum stays known."""
    exists = _from_birth_years(pupils.sum(2) > 0, births)
    return np.where(np.isnan(births) & ~exists, 0, births)


def candidate_forecast(panel: Panel, entry_lag: int, horizon: int, s: Candidate) -> Floats:
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
