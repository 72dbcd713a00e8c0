"""EARS C1, C2 and C3 (Hutwagner et al. 2003, 2005): a count against the steps before it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jobs.decide.safety.answers import Array, Detection, normal_limit, normal_tail
from jobs.settings import UserError


def ears(
    counts: Array,
    method: Literal["C1", "C2", "C3"],
    *,
    baseline: int = 7,
    min_sigma: float = 0.0,
    alpha: float | None = None,
) -> Detection:
    """Compare each step with mean and deviation of `baseline` steps before it (C2, C3: two steps further
    back).

    Steps are rows, not days: a calendar is applied by leaving closed days out. C3 adds up the excesses of
    the two steps before, as the package does. Default alpha: 0.001, for C3 0.025.
    """
    if baseline < 3:
        raise UserError(f"baseline is {baseline}; EARS needs 3 steps or more", "give --baseline 3 or more")
    if min_sigma < 0:
        raise UserError(f"minSigma is {min_sigma}", "give --min-sigma 0 or more")
    alpha = alpha if alpha is not None else (0.025 if method == "C3" else 0.001)
    z_alpha = float(normal_limit(alpha))
    answer = Detection.blank(counts.shape)
    lag = baseline + (0 if method == "C1" else 2)
    if counts.shape[1] <= lag + (2 if method == "C3" else 0):
        return answer
    windows = np.lib.stride_tricks.sliding_window_view(counts, baseline, axis=1)[:, : counts.shape[1] - lag]
    now = counts[:, lag:]
    mean = windows.mean(axis=2)
    sigma = np.maximum(windows.std(axis=2, ddof=1), min_sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = (now - mean) / sigma
        if method == "C3":
            lag += 2
            score = np.maximum(0.0, excess[:, :-2] - 1) + np.maximum(0.0, excess[:, 1:-1] - 1)
            now, mean, sigma = now[:, 2:], mean[:, 2:], sigma[:, 2:]
            upper = np.maximum(0.0, now + sigma * (z_alpha - score))
        else:
            # A count that equals a baseline without any spread is as usual as can be.
            score = np.where((sigma == 0) & (now == mean), 0.0, excess)
            upper = mean + z_alpha * sigma
        answer.alarm[:, lag:] = np.where(np.isnan(upper) | np.isnan(now), np.nan, now > upper)
    answer.expected[:, lag:] = mean
    answer.upper_bound[:, lag:] = upper
    answer.p_value[:, lag:] = normal_tail(score)
    answer.score[:, lag:] = np.clip(score, -37.0, 37.0)
    return answer
