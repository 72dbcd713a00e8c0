"""Forecast and back-test as frames: every level of the hierarchy, adding up exactly, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.decide.places import events as known_events
from jobs.decide.places.belief import believed
from jobs.decide.places.blend import blend_weights, own_weights
from jobs.decide.places.events import Event
from jobs.decide.places.intervals import interval_bounds
from jobs.decide.places.model.candidates import CANDIDATES
from jobs.decide.places.model.cells import sum_groups
from jobs.decide.places.model.level import candidate_forecast
from jobs.decide.places.panel import ALL_GRADES, Floats, Ints, Lags, Panel, build_panel

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
    entry_lag: Lags = 5,
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
    entry_lag: Lags = 5,
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


def point_forecasts(panel: Panel, entry_lag: Lags, horizon: int) -> Floats:
    """Pupils expected, [year of origin, lead, unit, grade]: candidates and persistence, blended by lead."""
    totals = panel.pupils.sum(2)
    lags = _lags(panel, entry_lag)
    made = [candidate_forecast(panel, lags, horizon, s).astype(np.float32) for s in CANDIDATES.values()]
    sums = [m.sum(3, dtype=np.float64) for m in made] + [np.repeat(totals[:, None], horizon, axis=1)]
    prior = np.full(len(sums), (1 - BASE_PRIOR - PERSISTENCE_PRIOR) / (len(made) - 1))
    prior[0], prior[-1] = BASE_PRIOR, PERSISTENCE_PRIOR
    candidates = np.stack(sums, axis=-1)
    shared = blend_weights(totals, candidates, panel.in_file, prior)
    weights = own_weights(shared, totals, candidates, panel.in_file, prior)
    blended = weights[..., -1, None] * panel.pupils[:, None]
    for k, values in enumerate(made):
        blended += weights[..., k, None] * values
    has_births = panel.unit_births is not None or panel.parent_births is not None
    return believed(blended, panel.pupils, panel.in_file, has_births)


def _lags(panel: Panel, entry_lag: Lags) -> dict[int, int]:
    """The lag of each grade that births predict, by its position; of an unnamed one, the lowest grade's."""
    if isinstance(entry_lag, int):
        return {0: entry_lag}
    return {panel.grades.index(grade): lag for grade, lag in entry_lag.items() if grade in panel.grades}


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


@dataclass(frozen=True)
class _Level:
    """Units of one level of the hierarchy; `points` as forecast from every year, `moved` by events."""

    name: str
    units: Sequence[str]
    parents: Sequence[str]
    pupils: Floats  # [year, unit, grade]
    points: Floats  # [year, lead, unit, grade]
    moved: Floats  # [lead, unit, grade]
    shown: Ints  # positions of `units` among the units of the arrays


def _levels(
    panel: Panel, points: Floats, moved: Floats, i: int, living: Ints, groups: Groups | None
) -> Iterator[_Level]:
    """Units (the `living`), groups, parents, total, as they stand in year `i`."""

    def summed(name: str, of: Ints, names: Sequence[str], parents: Sequence[str], used: list[int]) -> _Level:
        # The past of a group is that of the units it has now, so that its errors are no one's moving house.
        # Units of no group share the number behind the last.
        every_year, count = np.tile(of, (len(panel.years), 1)), len(names) + 1
        return _Level(
            name,
            [names[n] for n in used],
            [parents[n] for n in used],
            sum_groups(panel.pupils, every_year, count)[:, used],
            sum_groups(points, every_year, count)[:, :, used],
            sum_groups(moved[None], every_year[:1], count)[0][:, used],
            np.arange(len(used)),
        )

    parent_of = panel.parent_of[i]
    above = [panel.parents[p] for p in parent_of[living]] if panel.parents else [""] * len(living)
    units = [panel.units[u] for u in living]
    yield _Level("unit", units, above, panel.pupils, points, moved, living)
    for level, of_unit in (groups or {}).items():
        names, parents, of = _grouped(panel, of_unit)
        used = sorted({int(n) for n in of[living] if n < len(names)})
        yield summed(level, of, names, parents, used)
    if panel.parents:
        alive = sorted(set(parent_of[living].tolist()))
        yield summed("parent", parent_of, panel.parents, [TOTAL] * len(panel.parents), alive)
    whole = panel.pupils.sum(1, keepdims=True), points.sum(2, keepdims=True), moved.sum(1, keepdims=True)
    yield _Level(TOTAL, [TOTAL], [""], *whole, np.arange(1))


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
    """Rows of one origin, level by level; grades, spans, `all`; leads in order. `undisturbed` are the points
    without events."""
    seen = np.asarray(panel.grade_listed[: i + 1].any(axis=0)) | (points[i].sum((0, 1)) > 0)
    shown = [g for g, s in zip(panel.grades, seen, strict=True) if s]
    parts = {name: [shown.index(g) for g in grades if g in shown] for name, grades in (spans or {}).items()}
    parts = {name: at for name, at in parts.items() if at}
    labels, sums = [*shown, *parts, ALL_GRADES], list(parts.values())
    frames = []
    for level in _levels(panel, points, points[i] - undisturbed[i], i, living, groups):
        truth = _with_sums(level.pupils[:, :, seen], sums)
        means = _with_sums(level.points[:, :, :, seen], sums)
        moved = _with_sums(level.moved[:, :, seen], sums)[:, level.shown]
        everything = [*sums, range(len(shown))]
        bounds = interval_bounds(truth, means, panel.in_file, i, len(shown), everything)[:, level.shown]
        frames.append(_level_frame(level, labels, origin, means[i][:, level.shown], bounds, moved))
    return pd.concat(frames, ignore_index=True)


def _level_frame(
    level: _Level, labels: Sequence[str], origin: int, mean: Floats, bounds: Floats, moved: Floats
) -> pd.DataFrame:
    """Arrays [lead, unit, label, …] of one level and origin as rows."""
    leads, count, columns = mean.shape
    unit_at, grade_at, lead_at = (a.ravel() for a in np.indices((count, columns, leads)))

    def cells(values: Floats) -> Ints:
        return values.transpose(1, 2, 0).ravel().astype(np.int64)

    frame = pd.DataFrame(
        {
            "origin": origin,
            "level": level.name,
            "unit": np.asarray(level.units, dtype=object)[unit_at],
            "parent_unit": np.asarray(level.parents, dtype=object)[unit_at],
            "grade": np.asarray(labels, dtype=object)[grade_at],
            "year": origin + lead_at + 1,
            "lead": lead_at + 1,
            "forecast": cells(mean),
        }
    )
    for k, bound in enumerate(BOUNDS):
        frame[bound] = cells(bounds[..., k])
    return frame.assign(event_count=cells(moved))


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
