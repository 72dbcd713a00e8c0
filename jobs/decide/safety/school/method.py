"""The school method's answer for each step: expected count, upper bound, p-value, score, alarm."""

from __future__ import annotations

import numpy as np

from jobs.decide.safety.answers import Array, Detection, normal_limit, normal_score, normal_tail
from jobs.decide.safety.school.calibration import DAILY, WEEKLY
from jobs.decide.safety.school.coefficients import Axis
from jobs.decide.safety.school.evidence import (
    as_news,
    evidence_of,
    recent_high,
    upper_bound,
)
from jobs.decide.safety.school.foretell import Progress, foretell


def school(
    counts: Array,
    axis: Axis,
    *,
    alpha: float = 0.01,
    baseline: int | None = None,
    start: int = 0,
    progress: Progress | None = None,
) -> Detection:
    """Judge each step of each unit; NaN is a closed step or one without a report.

    `counts`: units × steps on one axis. `baseline`: steps with a report before the first answer (daily 40,
    weekly 26). `p_value` is the chance that a quiet step brings such news: a joined score so high, which also
    tops those of the steps just before. `score` is the same on the normal scale, `upper_bound` the largest
    count of today that would raise no alarm, given the days before. A step without a case raises none.
    """
    weekly = axis.weekday is None
    baseline = baseline if baseline is not None else (26 if weekly else 40)
    answer = Detection.blank(counts.shape)
    columns = np.flatnonzero(~np.isnan(counts).all(axis=0))
    if len(columns) <= baseline:
        return answer
    axis = Axis(
        axis.years[columns], None if axis.weekday is None else axis.weekday[columns], axis.reopening[columns]
    )
    seen = ~np.isnan(counts[:, columns])
    y = np.where(seen, counts[:, columns], 0.0)
    calibrate = WEEKLY if weekly else DAILY
    windows = calibrate.windows
    mean, phi, doubt = foretell(y, seen.astype(float), axis, calibrate, baseline, progress)

    begin = max(baseline, int(np.searchsorted(columns, start)))
    back = max(begin - max(windows) - calibrate.recent, 0)
    evidence = evidence_of(
        y[:, back:], seen[:, back:], mean[:, back:], phi[:, back:], doubt[:, back:], windows
    )
    joined = evidence.join(y[:, back:])
    enough = seen & (np.cumsum(seen, axis=1) > baseline)
    recent = recent_high(joined, enough[:, back:], calibrate.recent)
    longest = max(windows)
    typical = evidence.mean[longest] / np.minimum(longest, 1 + np.arange(back, len(columns)))
    level = float(normal_limit(alpha))
    score = calibrate(as_news(joined, recent, y[:, back:] > mean[:, back:]), typical, evidence.phi[1])
    limit = np.maximum(calibrate.limit(level, typical, evidence.phi[1]), recent)
    upper = np.maximum(upper_bound(evidence, mean[:, back:], limit), np.floor(mean[:, back:]))
    # The limit is read off the table, the score interpolated in it: where they differ by a hair, the score
    # rules.
    upper = np.where(score > level, np.minimum(upper, y[:, back:] - 1), np.maximum(upper, y[:, back:]))
    upper = np.maximum(upper, 0.0)
    p_value = normal_tail(score)
    for field, value in (
        (answer.expected, mean[:, back:]),
        (answer.upper_bound, upper),
        (answer.p_value, p_value),
        (answer.score, normal_score(p_value)),
        (answer.alarm, (y[:, back:] > upper).astype(float)),
    ):
        field[:, columns[begin:]] = np.where(enough[:, begin:], value[:, begin - back :], np.nan)
    return answer
