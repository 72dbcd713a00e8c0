"""Weights of the candidates in the forecast, by lead, from how well each would have done so far."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.panel import Bools, Floats

MIN_PUPILS = 50  # errors are counted as the protocol counts them
MEMORY = 0.9
YEARS_READ = 10
PRIOR_YEARS = 0.2  # of typical loss, times the lead: overlapping targets repeat each other
STEPS = 60
OWN_TILT = 8.0  # how strongly a unit's own record moves its shares
OWN_PRIOR_YEARS = 3.0  # times the lead
OWN_MEMORY = 0.95


def blend_weights(totals: Floats, candidates: Floats, in_file: Bools, prior: Floats) -> Floats:
    """Weights [year, lead, candidate], none negative, adding to one, chosen for the least mean error in per
    cent over unit totals whose targets lie in years up to the row's, and held to `prior`.
    `totals` [year, unit], `candidates` [year, lead, unit, candidate]."""
    years, horizon = candidates.shape[:2]
    out = np.tile(prior, (years, horizon, 1))
    for h in range(horizon):
        errors: dict[int, Floats] = {}
        for target in range(h + 2, years):
            origin = target - h - 1
            if in_file[target] and in_file[origin] and in_file[origin - 1]:
                use = (totals[target] >= MIN_PUPILS) & (totals[origin] > 0)
                if use.sum() >= 3:
                    errors[target] = candidates[origin, h][use] / totals[target][use][:, None] - 1
        for t in range(years):
            known = [y for y in errors if t - YEARS_READ < y <= t]
            if known:
                weight = [np.full(len(errors[y]), MEMORY ** (t - y) / len(errors[y])) for y in known]
                stacked = np.concatenate([errors[y] for y in known])
                out[t, h] = _least_error(stacked, np.concatenate(weight), prior, PRIOR_YEARS * (h + 1))
    return out


def own_weights(shared: Floats, totals: Floats, candidates: Floats, in_file: Bools, prior: Floats) -> Floats:
    """Weights [year, lead, unit, candidate]: the `shared` ones [year, lead, candidate], leaning in each unit
    to the candidates that have erred less there than the shared blend, the more the longer its record is."""
    years, horizon, units, count = candidates.shape
    out = np.repeat(shared[:, :, None], units, axis=2)
    for h in range(horizon):
        loss, seen = np.zeros((units, count)), np.zeros(units)
        for t in range(h + 2, years):
            s = t - h - 1
            use = (totals[t] >= MIN_PUPILS) & (totals[s] > 0)
            if in_file[t] and in_file[s] and in_file[s - 1] and use.any():
                error = np.abs(candidates[s, h][use] / totals[t][use][:, None] - 1)
                usual = error @ prior
                median = float(np.median(usual)) + 1e-9
                loss, seen = OWN_MEMORY * loss, OWN_MEMORY * seen
                # Measured between the system's usual error and the unit's own: the restless do not shout.
                loss[use] += np.minimum(error, 6 * median) / (0.5 * median + 0.5 * usual)[:, None]
                seen[use] += 1
            excess = (loss - (loss @ shared[t, h])[:, None]) / np.maximum(seen, 1e-9)[:, None]
            belief = OWN_TILT * seen / (seen + OWN_PRIOR_YEARS * (h + 1))
            logs = np.log(shared[t, h]) - belief[:, None] * excess
            share = np.exp(logs - logs.max(1, keepdims=True))
            out[t, h] = share / share.sum(1, keepdims=True)
    return out


def _least_error(errors: Floats, weight: Floats, prior: Floats, hold: float) -> Floats:
    """Mirror descent on mean absolute error (round near zero) plus `hold` × divergence from the prior."""
    usual = float((weight * np.abs(errors @ prior)).sum() / weight.sum()) + 1e-9
    scaled = errors / usual
    w = np.array(prior)
    for step in range(STEPS):
        slope = (scaled * (np.clip(scaled @ w / 0.25, -1, 1) * weight)[:, None]).sum(0)
        rate = 0.5 / (1 + 2 * hold) / (1 + 0.03 * step)
        logs = np.log(w) - rate * (slope + hold * np.log(w / prior))
        w = np.maximum(np.exp(logs - logs.max()), 1e-12)
        w /= w.sum()
    return w
