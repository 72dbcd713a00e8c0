"""How many outbreaks are found at what false-positive rate, and how fast: prints the tables of
docs/decisions/safety-detection.md.

    python benchmarks/safety/power.py [--seeds 3] [--schools 300]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.safety.choices import Method
from jobs.decide.safety.detect import detect_frame
from jobs.decide.safety.reference.farrington import farrington
from jobs.decide.safety.school.calibration import DAILY, WEEKLY
from jobs.decide.safety.school.evidence import as_news, evidence_of, recent_high, tail_score, window_sums
from synthetic.outbreaks import Array, World, campus, daily, power, weekly

RATES = (0.01, 0.02, 0.05)
DAILY_WORLDS: dict[str, Callable[[int, int], World]] = {
    "schools, mean 1.5 a day": lambda seed, n: daily(seed, n, strength=1.2),
    "large schools, 4.5, flat outbreaks": lambda seed, n: daily(
        seed, n, strength=0.9, log_mean=(1.5, 0.7), shape="flat"
    ),
    "small schools, 0.5": lambda seed, n: daily(seed, n, strength=1.5, log_mean=(-0.7, 0.8)),
    "strong outbreaks, mean 3": lambda seed, n: daily(seed, n, strength=1.6, log_mean=(1.1, 0.6)),
    "a first year only": lambda seed, n: daily(seed, n, days=420, strength=1.2),
    "outbreaks from the second year on, mean 0.5": lambda seed, n: daily(
        seed, n, strength=1.5, log_mean=(-0.7, 0.8), since=365
    ),
    "campus: schools by syndrome": lambda seed, n: campus(seed, n // 4),
}
QUIET_WORLDS: dict[str, Callable[[int, int], World]] = {
    "no outbreaks, mean 1.5": lambda seed, n: daily(seed, n, outbreaks=False),
    "no outbreaks, mean 4.5": lambda seed, n: daily(seed, n, outbreaks=False, log_mean=(1.5, 0.7)),
    "no outbreaks, mean 0.5": lambda seed, n: daily(seed, n, outbreaks=False, log_mean=(-0.7, 0.8)),
    "no outbreaks, campus": lambda seed, n: campus(seed, n // 4, outbreaks=False),
}


def frame(world: World) -> pd.DataFrame:
    units, steps = world.counts.shape
    return pd.DataFrame(
        {
            "unit": np.repeat([f"u{k:04d}" for k in range(units)], steps),
            "date": np.tile(pd.DatetimeIndex(world.dates), units),
            "count": world.counts.ravel(),
        }
    ).dropna()


def answers(world: World, method: Method, column: str, **options: str) -> Array:
    found = detect_frame(frame(world), method, **options)  # type: ignore[arg-type]
    wide = found.pivot(index="unit", columns="date", values=column)
    return wide.reindex(columns=pd.DatetimeIndex(world.dates)).to_numpy(dtype=float)


def simple(world: World, days: int) -> Array:
    """The plain negative-binomial rule: sums of `days`, against the 28 open days before."""
    opened = np.flatnonzero(world.is_open)
    y = world.counts[:, opened]
    past = np.zeros_like(y)
    squares = np.zeros_like(y)
    for lag in range(days, days + 28):
        past[:, lag:] += y[:, :-lag] / 28
        squares[:, lag:] += y[:, :-lag] ** 2 / 28
    mean = np.maximum(past, 0.05)
    phi = np.maximum((squares - past**2) / mean, 1.0)
    score = np.full(world.counts.shape, np.nan)
    score[:, opened] = tail_score(window_sums(y, days), mean * days, phi)
    return score


def known(world: World, weekly: bool = False) -> Array:
    """The score of one who knows each step's mean and each unit's dispersion, and adds up our sums."""
    opened = np.flatnonzero(world.is_open)
    y = world.counts[:, opened]
    mean, phi = world.mean[:, opened], np.repeat(world.phi[:, None], len(opened), axis=1)
    calibrate = WEEKLY if weekly else DAILY
    seen = np.ones(y.shape, dtype=bool)
    evidence = evidence_of(y, seen, mean, phi, np.zeros_like(y), calibrate.windows)
    joined = evidence.join(y)
    news = as_news(joined, recent_high(joined, seen, calibrate.recent), y > mean)
    score = np.full(world.counts.shape, np.nan)
    longest = max(calibrate.windows)
    score[:, opened] = calibrate(news, evidence.mean[longest] / longest, evidence.phi[1])
    return score


def quiet_steps(world: World) -> NDArray[np.bool_]:
    near = world.outbreak.copy()
    for lag in range(1, 11):
        near[:, lag:] |= world.outbreak[:, :-lag]
    return ~near[:, world.first_watched :] & world.is_open[world.first_watched :]


def rates(p_value: Array, world: World) -> list[float]:
    quiet = p_value[:, world.first_watched :][quiet_steps(world)]
    quiet = quiet[~np.isnan(quiet)]
    return [float((quiet < rate).mean() / rate) for rate in RATES]


def level(world: World, **options: str) -> list[float]:
    """Real ÷ nominal false-positive rates, and expected ÷ true mean, over quiet watched steps."""
    found = rates(answers(world, "school", "p_value", **options), world)
    expected = answers(world, "school", "expected", **options)[:, world.first_watched :]
    quiet = quiet_steps(world) & ~np.isnan(expected)
    return [*found, expected[quiet].sum() / world.mean[:, world.first_watched :][quiet].sum()]


def line(name: str, runs: list[list[float]], form: str) -> None:
    low, middle, high = np.min(runs, axis=0), np.mean(runs, axis=0), np.max(runs, axis=0)
    cells = [
        f"{form.format(m)} ({form.format(a)}–{form.format(b)})"
        for m, a, b in zip(middle, low, high, strict=True)
    ]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--schools", type=int, default=300)
    options = parser.parse_args()
    seeds = range(9001, 9001 + options.seeds)
    head = "| world and method | 1 % | 2 % | 5 % |\n| --- | --- | --- | --- |"
    print("Share of outbreaks found at matched false-positive rates per step")
    print(f"mean (least–most) of {options.seeds} seeds\n")
    print(head)
    for name, make in DAILY_WORLDS.items():
        worlds = [make(seed, options.schools) for seed in seeds]
        found = {
            "EARS C2": [power(answers(w, "ears_c2", "score"), w) for w in worlds],
            "28 days, today": [power(simple(w, 1), w) for w in worlds],
            "28 days, 3-day sums": [power(simple(w, 3), w) for w in worlds],
            "28 days, 7-day sums": [power(simple(w, 7), w) for w in worlds],
            "**school**": [power(answers(w, "school", "score"), w) for w in worlds],
            "mean and dispersion known": [power(known(w), w) for w in worlds],
        }
        for method, runs in found.items():
            line(f"{name}: {method}", [[100 * x for x in run] for run in runs], "{:.0f}")
    weeks = [weekly(seed, replicates=12) for seed in seeds]
    theirs = [farrington(w.counts, frequency=52, start=w.first_watched) for w in weeks]
    for method, runs in {
        "EARS C2": [power(answers(w, "ears_c2", "score", freq="weekly"), w) for w in weeks],
        "flexible Farrington": [power(f.score, w) for f, w in zip(theirs, weeks, strict=True)],
        "**school**": [power(answers(w, "school", "score", freq="weekly"), w) for w in weeks],
        "mean and dispersion known": [power(known(w, weekly=True), w) for w in weeks],
    }.items():
        line(f"Noufaily's 42 weekly scenarios: {method}", [[100 * x for x in run] for run in runs], "{:.0f}")
    print(
        "\nReal false-positive rate ÷ nominal, and expected ÷ true mean on quiet steps, the school method\n"
    )
    print("| world | 1 % | 2 % | 5 % | expected |\n| --- | --- | --- | --- | --- |")
    for name, make in (DAILY_WORLDS | QUIET_WORLDS).items():
        line(name, [level(make(seed + 100, options.schools)) for seed in seeds], "{:.2f}")
    line("Noufaily's weekly scenarios", [level(w, freq="weekly") for w in weeks], "{:.2f}")
    print()
    line(
        "the same, flexible Farrington",
        [rates(f.p_value, w) for f, w in zip(theirs, weeks, strict=True)],
        "{:.2f}",
    )
    city = frame(daily(9999, 2000, 365))
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    detect_frame(city, "school")
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - used
    clock = time.perf_counter() - began
    print(f"\n2,000 schools × 365 days: {clock:.0f} s by the clock, {spent:.0f} s of processor")


if __name__ == "__main__":
    main()
