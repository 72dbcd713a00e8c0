"""Log progression ratios: how many pupils of a grade are found in the next grade a year later."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.model.candidates import Candidate
from jobs.decide.places.model.cells import Cells, of_group, sum_groups
from jobs.decide.places.model.means import deviation_forecast
from jobs.decide.places.panel import Floats, Ints

LARGEST_LOG = 1.5  # no cohort grows or shrinks beyond 4.5 times in a year, whatever a file says


def progression(
    pupils: Floats, cells: Cells, parent_of: Ints | None, s: Candidate, horizon: int, is_total: bool
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
    out = np.repeat(deviation_forecast(total, total_before, s, horizon, True), units, axis=2)
    above = total
    if parent_of is not None:
        count = int(parent_of.max()) + 1
        parent_before = sum_groups(before, parent_of, count)
        parents = ratio(sum_groups(now, parent_of, count), parent_before)
        deviation = deviation_forecast(parents - total, parent_before, s, horizon, False)
        out += of_group(deviation.swapaxes(1, 2), parent_of).swapaxes(1, 2)
        above = of_group(parents, parent_of)
    if not is_total:
        out += deviation_forecast(ratio(now, before) - above, before, s, horizon, False)
    return out
