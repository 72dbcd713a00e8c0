"""Parameters of both Farrington methods, under R's names."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.decide.safety.choices import PowerTransform, ThresholdMethod


@dataclass(frozen=True)
class FarringtonParameters:
    """R's control list of `farringtonFlexible`, in R's units: weeks mean steps, years mean years."""

    b: int = 5
    w: int = 3
    reweight: bool = True
    weights_threshold: float = 2.58
    alpha: float = 0.005
    trend: bool = True
    p_threshold_trend: float = 1.0
    limit54: tuple[int, int] = (5, 4)
    powertrans: PowerTransform = "2/3"
    no_periods: int = 10
    past_weeks_not_included: int = 26
    threshold_method: ThresholdMethod = "nbPlugin"


FLEXIBLE = FarringtonParameters()
CLASSIC = FarringtonParameters(
    no_periods=1,
    weights_threshold=1.0,
    threshold_method="delta",
    p_threshold_trend=0.05,
    past_weeks_not_included=3,
)
