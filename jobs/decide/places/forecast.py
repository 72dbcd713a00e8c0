"""Forecast and back-test as frames: every level of the hierarchy, adding up exactly, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from jobs.decide.places import events as known_events
from jobs.decide.places.blend import blend_weights, own_weights
from jobs.decide.places.events import Event
from jobs.decide.places.intervals import interval_bounds
from jobs.decide.places.model import CANDIDATES, candidate_forecast, sum_groups
from jobs.decide.places.panel import ALL_GRADES, Floats, Ints, Panel, build_panel

COLUMNS = [
    "origin", "level", "unit", "parent_unit", "grade", "year", "lead",
    "forecast", "lower_80", "upper_80", "lower_90", "upper_90",
]  # fmt: skip
BOUNDS = COLUMNS[-4:]
TOTAL = "total"
# Further levels: level -> unit -> (group, the group's parent); a unit that is not named is in none of them.
Groups = Mapping[str, Mapping[str, tuple[str, str]]]
# Further columns beside the grades and `all`: name -> its grades.
Spans = Mapping[str, Sequence[str]]
# Shares of the blend before it has a record; the other candidates split the rest.
BASE_PRIOR, PERSISTENCE_PRIOR = 0.25, 0.02
MIN_TARGET_PUPILS = 50  # the protocol's: smaller units are left out of the error


def forecast_frame(
    enrollment: pd.DataFrame,
    births: pd.DataFrame | None = None,
    origin: int | None = None,
    horizon: int = 6,
    entry_lag: int = 5,
    groups: Groups | None = None,
    spans: Spans | None = None,
    events: Sequence[Event] = (),
) -> pd.DataFrame:
    """Forecast from one origin (None: the last year of the file), reading no later year.
    Rows in: unit × year × grade, and unit or parent × year of births. Rows out: level × unit × grade (and
    `all`) × lead 1 … horizon, whole pupils; parents are the sums of their units, `total` of all. `groups`
    adds levels that are sums of units, `spans` rows that are sums of grades, each with intervals of their
    own. `events` move pupils between units where they are known at the origin and still to come; with any, a
    column `event_count` says how many pupils they brought (negative: took). No rows when the file lacks the
    origin. Raises InputError."""
    origins = None if origin is None else [origin]
    return backtest_frame(enrollment, births, origins, horizon, entry_lag, groups, spans, events)


def backtest_frame(
    enrollment: pd.DataFrame,
    births: pd.DataFrame | None,
    origins: Iterable[int] | None,
    horizon: int = 6,
    entry_lag: int = 5,
    groups: Groups | None = None,
    spans: Spans | None = None,
    events: Sequence[Event] = (),
) -> pd.DataFrame:
    """Forecasts as each origin would have made them (None: the last year); rows as `forecast_frame`.
    Raises InputError."""
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}, and must be at least 1")
    panel = build_panel(enrollment, births)
    wanted = [int(panel.years[-1])] if origins is None else sorted(set(origins))
    found = {o: i for o in wanted if (i := panel.index_of(o)) is not None}
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    points = whole_pupils(point_forecasts(panel, entry_lag, horizon))
    panel, points = known_events.with_units(panel, points, events)
    made, undisturbed = [], np.array(points) if events else points
    for o, i in found.items():
        points[i], shown = known_events.apply(points[i], panel, i, events)
        made.append(_origin_frame(panel, points, undisturbed, o, i, np.flatnonzero(shown), groups, spans))
    frame = pd.concat(made, ignore_index=True)
    return frame if events else frame.drop(columns="event_count")


def point_forecasts(panel: Panel, entry_lag: int, horizon: int) -> Floats:
    """Pupils expected, [year of origin, lead, unit, grade]: candidates and persistence, blended by lead."""
    totals = panel.pupils.sum(2)
    made = [candidate_forecast(panel, entry_lag, horizon, s).astype(np.float32) for s in CANDIDATES.values()]
    sums = [m.sum(3, dtype=np.float64) for m in made] + [np.repeat(totals[:, None], horizon, axis=1)]
    prior = np.full(len(sums), (1 - BASE_PRIOR - PERSISTENCE_PRIOR) / (len(made) - 1))
    prior[0], prior[-1] = BASE_PRIOR, PERSISTENCE_PRIOR
    candidates = np.stack(sums, axis=-1)
    shared = blend_weights(totals, candidates, panel.in_file, prior)
    weights = own_weights(shared, totals, candidates, panel.in_file, prior)
    blended = weights[..., -1, None] * panel.pupils[:, None]
    for k, values in enumerate(made):
        blended += weights[..., k, None] * values
    return blended


def whole_pupils(values: Floats) -> Floats:
    """Round the last axis so that its sum is the rounded sum: largest remainders first."""
    floor = np.floor(values)
    missing = np.rint(values.sum(-1)) - floor.sum(-1)
    rank = np.argsort(np.argsort(floor - values, axis=-1, kind="stable"), axis=-1, kind="stable")
    rounded: Floats = floor + (rank < missing[..., None])
    return rounded


def _with_sums(values: Floats, spans: Sequence[Sequence[int]]) -> Floats:
    """Grades, then the sum of each span of them, then all."""
    sums = [values[..., list(span)].sum(-1, keepdims=True) for span in spans]
    return np.concatenate([values, *sums, values.sum(-1, keepdims=True)], axis=-1)


def _grouped(panel: Panel, level: Mapping[str, tuple[str, str]]) -> tuple[list[str], list[str], Ints]:
    """Groups in order, their parents, and the group of each unit; those of none share one behind the last."""
    parents = dict(level[u] for u in panel.units if u in level)
    names = sorted(parents)
    number = {name: n for n, name in enumerate(names)}
    of = np.array([number[level[u][0]] if u in level else len(names) for u in panel.units], dtype=np.int64)
    return names, [parents[name] for name in names], of


def _origin_frame(
    panel: Panel,
    points: Floats,
    undisturbed: Floats,
    origin: int,
    i: int,
    living: Ints,
    groups: Groups | None,
    spans: Spans | None,
) -> pd.DataFrame:
    """Rows of one origin: units (the `living`), groups, parents, total; grades, spans, `all`; leads in order.
    `undisturbed` are the points without events."""
    seen = np.asarray(panel.grade_listed[: i + 1].any(axis=0)) | (points[i].sum((0, 1)) > 0)
    shown = [g for g, s in zip(panel.grades, seen, strict=True) if s]
    parts = {name: [shown.index(g) for g in grades if g in shown] for name, grades in (spans or {}).items()}
    parts = {name: at for name, at in parts.items() if at}
    labels = [*shown, *parts, ALL_GRADES]
    change = points[i] - undisturbed[i]
    parent_of = panel.parent_of[i]
    names = [panel.parents[p] for p in parent_of[living]] if panel.parents else [""] * len(living)
    levels: list[tuple[str, Sequence[str], Sequence[str], Floats, Floats, Floats]] = [
        ("unit", [panel.units[u] for u in living], names, panel.pupils, points, change)
    ]
    for level, of_unit in (groups or {}).items():
        all_groups, all_parents, of = _grouped(panel, of_unit)
        used = sorted({int(n) for n in of[living] if n < len(all_groups)})
        every_year = np.tile(of, (len(panel.years), 1))
        levels.append(
            (
                level,
                [all_groups[n] for n in used],
                [all_parents[n] for n in used],
                sum_groups(panel.pupils, every_year, len(all_groups) + 1)[:, used],
                sum_groups(points, every_year, len(all_groups) + 1)[:, :, used],
                sum_groups(change[None], every_year[:1], len(all_groups) + 1)[0][:, used],
            )
        )
    n_parents = len(panel.parents)
    if n_parents:
        alive = sorted(set(parent_of[living].tolist()))
        # The past of a parent is that of the units it has now, so that its errors are no one's moving house.
        now = np.tile(parent_of, (len(panel.years), 1))
        levels.append(
            (
                "parent",
                [panel.parents[p] for p in alive],
                [TOTAL] * len(alive),
                sum_groups(panel.pupils, now, n_parents)[:, alive],
                sum_groups(points, now, n_parents)[:, :, alive],
                sum_groups(change[None], now[:1], n_parents)[0][:, alive],
            )
        )
    whole = panel.pupils.sum(1, keepdims=True), points.sum(2, keepdims=True), change.sum(1, keepdims=True)
    levels.append((TOTAL, [TOTAL], [""], *whole))
    frames = []
    for level, units, parent_names, pupils, expected, moved in levels:
        pick = living if level == "unit" else np.arange(len(units))
        truth = _with_sums(pupils[:, :, seen], list(parts.values()))
        means = _with_sums(expected[:, :, :, seen], list(parts.values()))
        bounds = interval_bounds(truth, means, panel.in_file, i)[:, pick]
        mean = means[i][:, pick]
        leads, count, columns = mean.shape
        shape = (count, columns, leads)
        unit_at, grade_at, lead_at = (a.ravel() for a in np.indices(shape))
        frame = pd.DataFrame(
            {
                "origin": origin,
                "level": level,
                "unit": np.asarray(units, dtype=object)[unit_at],
                "parent_unit": np.asarray(parent_names, dtype=object)[unit_at],
                "grade": np.asarray(labels, dtype=object)[grade_at],
                "year": origin + lead_at + 1,
                "lead": lead_at + 1,
                "forecast": mean.transpose(1, 2, 0).ravel().astype(np.int64),
            }
        )
        for k, bound in enumerate(BOUNDS):
            frame[bound] = bounds[..., k].transpose(1, 2, 0).ravel().astype(np.int64)
        brought = _with_sums(moved[:, :, seen], list(parts.values()))
        frame["event_count"] = brought[:, pick].transpose(1, 2, 0).ravel().astype(np.int64)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def score(forecasts: pd.DataFrame, enrollment: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of unit totals by lead, where the truth is in the file.
    Protocol: rows `all` of level unit; units of at least 50 pupils in the target year and some at the origin.
    One row per lead: `forecasts` (count), `mape` (%, over units, then origins), `coverage_80`, `coverage_90`
    (shares 0–1), `interval_score_80`, `interval_score_90` (mean of the score as % of the truth)."""
    panel = build_panel(enrollment)
    if forecasts.empty:  # its columns have no types
        forecasts = forecasts.astype({"year": int, "origin": int, "lead": int, **dict.fromkeys(BOUNDS, int)})
        forecasts = forecasts.astype({"forecast": int})
    rows = forecasts[(forecasts["level"] == "unit") & (forecasts["grade"] == ALL_GRADES)]
    totals = panel.pupils.sum(2)
    unit_at = pd.Index(panel.units).get_indexer(pd.Index(rows["unit"]))
    target, start = (rows[c].to_numpy() - panel.years[0] for c in ("year", "origin"))
    inside = (target < len(panel.years)) & (unit_at >= 0)
    inside[inside] = panel.in_file[target[inside]]
    rows, target, start, unit_at = rows[inside], target[inside], start[inside], unit_at[inside]
    truth = totals[target, unit_at]
    counted = (truth >= MIN_TARGET_PUPILS) & (totals[start, unit_at] > 0)
    rows, truth = rows[counted], truth[counted]
    out = rows[["origin", "lead"]].assign(error=100 * (rows["forecast"].to_numpy() / truth - 1), forecasts=1)
    out["error"] = out["error"].abs()
    for share in (80, 90):
        lower, upper = rows[f"lower_{share}"].to_numpy(), rows[f"upper_{share}"].to_numpy()
        missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
        out[f"coverage_{share}"] = (missed == 0).astype(float)
        out[f"interval_score_{share}"] = 100 * (upper - lower + 2 / (1 - share / 100) * missed) / truth
    by_origin = out.groupby(["lead", "origin"]).agg(
        {c: "sum" if c == "forecasts" else "mean" for c in out.columns if c not in ("lead", "origin")}
    )
    table = by_origin.groupby("lead").mean().rename(columns={"error": "mape"})
    table["forecasts"] = by_origin["forecasts"].groupby("lead").sum()
    first = ["forecasts", "mape", "coverage_80", "coverage_90"]
    return table.reset_index()[["lead", *first, "interval_score_80", "interval_score_90"]]
