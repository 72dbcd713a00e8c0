"""Commands of the places service: `places forecast` and `places backtest`."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from jobs import settings as site_settings
from jobs.cli.scenario import run as scenario_command
from jobs.decide.places.events import Event, read_events
from jobs.decide.places.forecast import backtest_frame, forecast_frame, score
from jobs.decide.places.panel import InputError, build_panel, read_births, read_enrollment
from jobs.files import replacing

app = typer.Typer(
    help="How many pupils each school, area and the whole system will have, by grade, with intervals.",
    no_args_is_help=True,
)
console = Console(stderr=True)
app.command("scenario")(scenario_command)

Enrollment = Annotated[
    Path,
    typer.Option(help="CSV of pupils: unit,parent_unit,year,grade,enrollment. May be gzipped."),
]
Births = Annotated[
    Path | None,
    typer.Option(help="CSV of births: unit,year,births; unit names units or parents of the enrollment file."),
]
Events = Annotated[
    Path | None,
    typer.Option(
        help="CSV of what is known to come:"
        " unit,year,event[,successor_unit,parent_unit,grades,pupils,known_year]."
        " event: open, close or span. From that autumn on the unit teaches `grades` (K-5, or 7;8) and no"
        " others; of close, none. successor_unit (A;B for several) takes the pupils of what goes and gives"
        " those of what comes; blank: the units of the same parent. pupils: a grade of an opening unit;"
        " blank: as many as a neighbor has. Used by origins from known_year on (blank: the year before it"
        " happens, at the latest the last year of the enrollment). Adds a column event_count."
    ),
]
EntryLag = Annotated[
    int, typer.Option(min=0, max=20, help="Pupils entering in year t were born in year t minus this.")
]
Horizon = Annotated[int, typer.Option(min=1, max=30, help="Years ahead.")]
Output = Annotated[Path, typer.Option(help="CSV to write; a name ending in .gz is compressed.")]


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


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write all of the file or nothing: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        frame.to_csv(fresh, index=False, compression="gzip" if path.suffix == ".gz" else None)


def _read(enrollment: Path, births: Path | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    pupils = read_enrollment(enrollment)
    born = read_births(births) if births else None
    console.print(
        f"read {len(pupils):,} lines of pupils" + ("" if born is None else f", {len(born):,} of births")
    )
    return pupils, born


def _events(path: Path | None, pupils: pd.DataFrame, born: pd.DataFrame | None) -> list[Event]:
    return read_events(path, build_panel(pupils, born)) if path else []


def _fail(error: Exception) -> typer.Exit:
    console.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
    return typer.Exit(2)


@app.command()
def backtest(
    enrollment: Enrollment,
    output: Output,
    origins: Annotated[str, typer.Option(help="Years to forecast from, such as 2010-2016 or 2010,2013.")],
    births: Births = None,
    entry_lag: EntryLag = 5,
    horizon: Horizon = 6,
    events: Events = None,
) -> None:
    """Forecast as each past year would have, and say how wrong that was."""
    begun = time.monotonic()
    try:
        pupils, born = _read(enrollment, births)
        wanted = parse_years(origins)
        with console.status(f"forecasting from {len(wanted)} origins"):
            forecasts = backtest_frame(
                pupils, born, wanted, horizon, entry_lag, events=_events(events, pupils, born)
            )
            write_csv(forecasts, output)
        accuracy = score(forecasts, pupils)
    except (InputError, OSError) as error:
        raise _fail(error) from error
    made = set(forecasts["origin"])
    for year in (y for y in wanted if y not in made):
        console.print(f"{year}: not in the file, so no forecast from it")
    _print_accuracy(accuracy)
    console.print(f"{len(forecasts):,} rows in {output}, {time.monotonic() - begun:.1f} s")


@app.command()
def forecast(
    enrollment: Enrollment,
    output: Output,
    origin: Annotated[
        int | None,
        typer.Option("--origin", "--origins", help="Year to forecast from; the file's last when left out."),
    ] = None,
    births: Births = None,
    entry_lag: EntryLag = 5,
    horizon: Horizon = 6,
    events: Events = None,
) -> None:
    """Forecast from one year."""
    begun = time.monotonic()
    try:
        pupils, born = _read(enrollment, births)
        with console.status("forecasting"):
            forecasts = forecast_frame(
                pupils, born, origin, horizon, entry_lag, events=_events(events, pupils, born)
            )
            write_csv(forecasts, output)
    except (InputError, OSError) as error:
        raise _fail(error) from error
    if forecasts.empty:
        console.print(f"{origin}: not in the file, so no forecast from it")
    console.print(f"{len(forecasts):,} rows in {output}, {time.monotonic() - begun:.1f} s")


@app.command()
def report(
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
    district: Annotated[str | None, typer.Option(help="Fan charts and wave of this district.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="A site of infra/sites; else the last.")] = None,
) -> None:
    """A page of the published forecast: fan charts, gap maps, the wave, warnings, past errors."""
    from jobs.decide.places import report as page

    page.write(page.look(site_settings.load(site), district), output)
    console.print(f"written: {output}")


def _print_accuracy(accuracy: pd.DataFrame) -> None:
    if accuracy.empty:
        console.print("no target year is in the file, so there is nothing to compare with")
        return
    table = Table(title="Unit totals of 50 pupils and more against what happened")
    headings = ("lead", "count", "error %", "in 80 %", "in 90 %", "score 80", "score 90")
    for heading in headings:
        table.add_column(heading, justify="right")
    for lead, count, error, in_80, in_90, score_80, score_90 in accuracy.to_numpy():
        shares = f"{100 * in_80:.1f}", f"{100 * in_90:.1f}"
        table.add_row(
            f"{lead:.0f}", f"{count:,.0f}", f"{error:.2f}", *shares, f"{score_80:.2f}", f"{score_90:.2f}"
        )
    Console().print(table)
