"""The candidates that the forecast blends: one model under several settings."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Candidate:
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
    drawn: bool = False  # sums of units are drawn to the forecast of the level above


BASE = Candidate()
CANDIDATES: dict[str, Candidate] = {
    "base": BASE,
    "smooth entry": replace(
        BASE, drawn=True, entry_gain=0.65, entry_pull=(1.0, 1.0), entry_trend=(0.05, 0.1)
    ),
    "trend in entry": replace(
        BASE, drawn=True, entry_pull=(0.6, 0.3), entry_trend=(0.1, 0.5), entry_trend_damp=0.7
    ),
    "migration reverts": replace(BASE, drawn=True, unit_keep=0.92, unit_mix=0.65, unit_clip=2.5),
    "migration persists": replace(BASE, unit_keep=1.0, unit_mix=0.9, unit_clip=0.0, unit_decay=0.55),
    "plain mean": replace(BASE, unit_robust=False, unit_clip=3.5, total_grade_decay=0.7),
    "pooled": replace(BASE, drawn=True, grade_prior=60.0, unit_prior=200.0, unit_robust=False),
    "quick ratios": replace(
        BASE, drawn=True, total_decay=0.6, total_grade_decay=0.4, grade_decays=(0.3, 0.5, 0.75)
    ),
    "slow ratios": replace(
        BASE, drawn=True, total_decay=0.3, total_grade_decay=0.8, grade_decays=(0.55, 0.8, 0.92)
    ),
    "latest ratios": replace(
        BASE,
        drawn=True,
        total_decay=0.3,
        total_grade_decay=0.3,
        unit_mix=1.0,
        unit_keep=1.0,
        grade_decays=(0.2, 0.4, 0.6),
        grade_mix=1.0,
        grade_damp=1.0,
    ),
}
