"""`./edulake places`: forecasts from files, their past errors, scenarios, and the report of a site."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli import scenario
from jobs.cli.options import Site, grouped, output_below
from jobs.cli.screen import print_origin
from jobs.screen import console, remarks
from jobs.settings import UserError

if TYPE_CHECKING:
    import pandas as pd

    from jobs.decide.places.events import Event

app = typer.Typer(
    help="学位 How many pupils and places each school, area, district and the city will have.",
    no_args_is_help=True,
)


def lag_text(text: str) -> str:
    """The same text, once it can be read. Raises typer.BadParameter."""
    parse_lags(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The files that a forecast reads, and how far it looks."""

    enrollment: Annotated[
        Path, typer.Option(help="CSV of pupils: unit, parent_unit, year, grade, enrollment. May be gzipped.")
    ]
    output: Annotated[
        Path, typer.Option(help="CSV to write; a name ending in .gz is compressed.", callback=output_below)
    ]
    births: Annotated[
        Path | None,
        typer.Option(
            help="CSV of births: unit, year, births. Units are units or parents of the enrollment file."
        ),
    ] = None
    entry_lag: Annotated[
        str,
        typer.Option(
            metavar="YEARS",
            help="Years from birth to entry into the lowest grade, or into each grade that births predict:"
            " K1=3,P1=6.",
            callback=lag_text,
        ),
    ] = "5"
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Years to look ahead.")] = 6
    events: Annotated[
        Path | None,
        typer.Option(
            help="CSV of schools that open, close or change their grades:"
            " unit, year, event, and where needed successor_unit, parent_unit, grades, pupils, known_year."
            " event is open, close or span. From autumn of `year` the unit teaches `grades` (K-5, or 7;8) and"
            " no others; none after close. successor_unit (A;B for several) takes the pupils of a unit that"
            " closes, and gives pupils to a unit that opens; blank: the units of the same parent."
            " pupils is the size of a grade of an opening unit; blank: that of a neighbor. A forecast uses"
            " the event from known_year on (blank: the year before it happens, at the latest the last year of"
            " the enrollment). Adds the column event_count."
        ),
    ] = None

    @property
    def lags(self) -> int | dict[str, int]:
        """Years from birth to the lowest grade, or to each grade named."""
        return parse_lags(self.entry_lag)

    def read(self) -> tuple[pd.DataFrame, pd.DataFrame | None, list[Event]]:
        """Pupils, births and events of the files. Raises InputError with file, line and column."""
        from jobs.decide.places.events import read_events
        from jobs.decide.places.input_file import read_births, read_enrollment
        from jobs.decide.places.panel import build_panel
        from jobs.decide.places.tidy import births_told, tidied

        pupils, told = tidied(read_enrollment(self.enrollment))
        born = read_births(self.births) if self.births else None
        if born is not None:
            told += births_told(born, pupils, self.lags, self.horizon)
        panel = build_panel(pupils, born)
        if isinstance(self.lags, dict) and (unknown := sorted(set(self.lags) - set(panel.grades))):
            raise UserError(
                f"--entry-lag names {', '.join(unknown)}, and the file has no such grade.",
                f"It has {', '.join(panel.grades)}.",
            )
        of_births = "" if born is None else f", {len(born):,} of births"
        remarks.say(
            f"read {len(pupils):,} lines of pupils{of_births}; units: {len(panel.units):,}; years:"
            f" {panel.in_file.sum()} ({panel.years[0]}–{panel.years[-1]}); grades: {' '.join(panel.grades)}"
        )
        for remark in told:
            remarks.say(("note:", "yellow"), f" {remark}")
        return pupils, born, read_events(self.events, panel) if self.events else []


@app.command()
@grouped
def forecast(
    inputs: Inputs,
    origin: Annotated[
        int | None,
        typer.Option("--origin", "--origins", help="Year to forecast from. Default: the file's last year."),
    ] = None,
) -> None:
    """Forecast pupils by grade from one year, for every unit, parent unit and the total, with intervals.

    从某一学年预测各校、各区和全市分年级学生数，附区间。

    Example: `./edulake places forecast --enrollment pupils.csv --births births.csv --output forecast.csv`
    """
    from jobs.decide.places.forecast import forecast_frame

    begun = time.monotonic()
    with _shown_errors():
        pupils, born, events = inputs.read()
        with remarks.status("forecasting"):
            made = forecast_frame(pupils, born, origin, inputs.horizon, inputs.lags, events=events)
            if made.empty:
                raise _nothing(pupils)
            write_output(made, inputs.output)
    remarks.say(f"{len(made):,} rows in {inputs.output}, {time.monotonic() - begun:.1f} s")


@app.command()
@grouped
def backtest(
    inputs: Inputs,
    origins: Annotated[str, typer.Option(help="Years to forecast from, such as 2010-2016 or 2010,2013.")],
) -> None:
    """Forecast from past years, using only what was known then, and print how wrong the forecasts were.

    用历史数据回测预测误差。
    """
    from jobs.decide.places.forecast import backtest_frame, score

    begun = time.monotonic()
    with _shown_errors():
        pupils, born, events = inputs.read()
        wanted = parse_years(origins)
        with remarks.status(f"forecasting from {len(wanted)} origins"):
            made = backtest_frame(pupils, born, wanted, inputs.horizon, inputs.lags, events=events)
            if made.empty:
                raise _nothing(pupils)
            write_output(made, inputs.output)
        accuracy = score(made, pupils)
    found = set(made["origin"])
    for year in (y for y in wanted if y not in found):
        remarks.say(f"{year}: not in the file, so no forecast from it")
    _print_accuracy(accuracy)
    remarks.say(f"{len(made):,} rows in {inputs.output}, {time.monotonic() - begun:.1f} s")


app.command("scenario")(scenario.run)


@app.command()
def report(
    output: Annotated[Path, typer.Option(help="HTML file to write.", callback=output_below)],
    district: Annotated[
        str | None, typer.Option(help="Code of the district to chart. Default: the city.")
    ] = None,
    site: Site = None,
) -> None:
    """Write a page about the published forecast: pupils ahead, gap maps, warnings, past errors.

    生成学位预测报告页面。
    """
    from jobs.decide.places import page, read
    from jobs.publish import release

    settings = site_settings.load(site)
    page.write(read.findings(settings, release.published_day(settings), district), output)
    remarks.say(f"written: {output}")
    print_origin(settings)


def parse_lags(text: str) -> int | dict[str, int]:
    """`6`, or `K1=3,P1=6` as the lag of each grade, 0 to 20 years. Raises typer.BadParameter."""
    if re.fullmatch(r"\s*(1?\d|20)\s*", text):
        return int(text)
    parts = [re.fullmatch(r"\s*([^=]*\S)\s*=\s*(1?\d|20)\s*", part) for part in re.split("[,，]", text)]
    found = {part[1].strip(): int(part[2]) for part in parts if part}
    if not found or len(found) < len(parts):
        raise typer.BadParameter(
            f"{text!r} is neither a number of years from 0 to 20 nor grades with theirs, such as K1=3,P1=6"
        )
    return found


def parse_years(text: str) -> list[int]:
    """`2010-2016`, `2010,2013` or `2016` as years in order. Raises typer.BadParameter."""
    years: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part)
        if not found:
            raise typer.BadParameter(f"{part!r} is neither a year nor a span such as 2010-2016")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise typer.BadParameter(f"{part.strip()!r} ends before it begins")
        years.update(range(first, last + 1))
    return sorted(years)


def write_output(frame: pd.DataFrame, path: Path) -> None:
    """Write all of the file or nothing: a reader never sees half of it."""
    from jobs import cells
    from jobs.files import OUTPUT_MODE, replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, OUTPUT_MODE) as fresh:
        cells.write_frame(frame, fresh, is_packed=path.suffix == ".gz")


@contextmanager
def _shown_errors() -> Iterator[None]:
    """Show an error of an input file with its way out, and end with code 2."""
    from jobs.decide.places.input_file import InputError

    try:
        yield
    except (InputError, OSError) as error:
        remarks.say(("Error", "bold red"), f" {error}")
        if isinstance(error, InputError):
            remarks.say(("What to do", "bold"), f" {error.way_out}")
        raise typer.Exit(2) from error


def _nothing(pupils: pd.DataFrame) -> UserError:
    years = sorted({str(year).strip() for year in pupils["year"]} - {""})
    return UserError(
        "no origin is a year of the file: nothing was forecast, and nothing is written.",
        f"The file has {years[0]} to {years[-1]}; give one of its years.",
    )


def _print_accuracy(accuracy: pd.DataFrame) -> None:
    if accuracy.empty:
        remarks.say("no target year is in the file, so there is nothing to compare with")
        return
    rows = [
        (
            *(f"{lead:.0f}", f"{count:,.0f}", f"{error:.2f}", f"{100 * in_80:.1f}", f"{100 * in_90:.1f}"),
            *(f"{score_80:.2f}", f"{score_90:.2f}"),
        )
        for lead, count, error, in_80, in_90, score_80, score_90 in accuracy.to_numpy()
    ]
    headings = ("lead", "count", "error %", "in 80 %", "in 90 %", "score 80", "score 90")
    console.table(headings, rows, title="Totals of units with 50 pupils or more, against what happened")
