"""The options of `safety detect`, by what they are about: the series, the EARS and the Farrington methods.

A parameter left out is None here; the method then takes its own default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jobs.decide.safety.choices import (
    Method,
    Missing,
    PowerTransform,
    Step,
    ThresholdMethod,
)
from jobs.settings import UserError

_EARS = "EARS methods"
_FARRINGTON = "Farrington methods"


def _share(value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{value} is not between 0 and 1")
    return value


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """What every method asks: how the series is cut, which days count, and when a count is an alarm."""

    method: Annotated[Method, typer.Option(help="How counts are judged.")] = "school"
    freq: Annotated[Step, typer.Option(help="The step of the series.")] = "daily"
    frequency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps in a year: 12 for months, 104 for two counts a week. Default: 365 for daily, 52 for"
            " weekly. Farrington with dates knows 12, 52 and 365.",
        ),
    ] = None
    calendar: Annotated[
        Path | None,
        typer.Option(help="CSV: date, is_open (1/0 or true/false). Closed days are left out."),
    ] = None
    missing: Annotated[
        Missing,
        typer.Option(
            help="What a step without a row is: unknown, or zero (the file lists cases only; rows are added)."
        ),
    ] = "unknown"
    alpha: Annotated[
        float | None,
        typer.Option(
            callback=_share,
            help="Chance of a false alarm. Default: EARS 0.001 (C3 0.025), Farrington 0.005, school 0.01.",
        ),
    ] = None
    baseline: Annotated[
        int | None,
        typer.Option(
            min=3,
            help="Steps before the first answer. Default: EARS 7, school 40 (weekly 26); Farrington follows"
            " --b and --w.",
        ),
    ] = None
    start: Annotated[str | None, typer.Option("--from", help="First date (or t) to answer for.")] = None
    fdr: Annotated[
        float | None,
        typer.Option(
            callback=_share, help="Bound the share of false alarms among a step's alarms, instead of --alpha."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class EarsOptions:
    """Parameters of ears_c1, ears_c2 and ears_c3."""

    min_sigma: Annotated[
        float | None, typer.Option(help="Least standard deviation. Default: 0.", rich_help_panel=_EARS)
    ] = None


@dataclass(frozen=True, kw_only=True)
class FarringtonOptions:
    """Parameters of farrington_flexible and farrington_classic, named as in R's `surveillance`."""

    b: Annotated[
        int | None, typer.Option("--b", min=1, help="Years back. Default: 5.", rich_help_panel=_FARRINGTON)
    ] = None
    w: Annotated[
        int | None,
        typer.Option(
            "--w",
            min=0,
            help="Steps on each side of the same week in past years. Default: 3.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    reweight: Annotated[
        bool | None,
        typer.Option(
            "--reweight/--no-reweight",
            help="Give past outbreaks less weight. Default: reweight.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    weights_threshold: Annotated[
        float | None,
        typer.Option(
            help="Residual above which a step loses weight. Default: 2.58, classic 1.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    no_periods: Annotated[
        int | None,
        typer.Option(
            "--no-periods",
            min=1,
            help="Seasons of a year. Default: 10, classic 1.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    threshold_method: Annotated[
        ThresholdMethod | None,
        typer.Option(
            help="How the bound is set. Default: nbPlugin, classic delta.", rich_help_panel=_FARRINGTON
        ),
    ] = None
    nb_plugin: Annotated[
        bool | None,
        typer.Option(
            "--nb-plugin/--delta",
            help="Short forms of the two usual --threshold-method.",
            show_default=False,
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    trend: Annotated[
        bool | None,
        typer.Option("--trend/--no-trend", help="Fit a trend. Default: trend.", rich_help_panel=_FARRINGTON),
    ] = None
    p_threshold_trend: Annotated[
        float | None,
        typer.Option(
            help="Keep the trend if its p-value is below this. Default: 1, classic 0.05.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    past_weeks_not_included: Annotated[
        int | None,
        typer.Option(
            min=0, help="Newest steps left out. Default: 26, classic 3.", rich_help_panel=_FARRINGTON
        ),
    ] = None
    limit54: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--limit54",
            help="An alarm needs so many cases in so many steps. Default: 5 4.",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None
    powertrans: Annotated[
        PowerTransform | None,
        typer.Option(help="Power of the counts. Default: 2/3.", rich_help_panel=_FARRINGTON),
    ] = None

    def chosen_threshold(self) -> ThresholdMethod | None:
        """The threshold method, in its long or short form. Raises UserError if both are given and differ."""
        if self.nb_plugin is None:
            return self.threshold_method
        short: ThresholdMethod = "nbPlugin" if self.nb_plugin else "delta"
        if self.threshold_method not in (None, short):
            raise UserError(
                f"--threshold-method is {self.threshold_method}, and {short} is asked for too", "give one"
            )
        return short
