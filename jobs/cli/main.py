"""The command line: one command a verb; errors that a person can act on are shown without a traceback.

Heavy imports stay inside the commands, so that `--help`, `status` and a run with nothing to do answer at
once.
"""

from __future__ import annotations

import importlib
import signal
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jobs import settings as site_settings
from jobs.cli.feed import app as feed_app
from jobs.cli.fitness import app as fitness_app
from jobs.cli.identity import app as identity_app
from jobs.cli.places import app as places_app
from jobs.cli.safety import app as safety_app
from jobs.settings import UserError

app = typer.Typer(
    name="edulake",
    help="An education lakehouse for a city: feeds, Delta, checks, marts, decisions, portal.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(feed_app, name="feed")
app.add_typer(fitness_app, name="fitness")
app.add_typer(identity_app, name="identity")
app.add_typer(places_app, name="places")
app.add_typer(safety_app, name="safety")
# A package that makes a site's input brings its commands: `edulake city` of `synthetic.city`.
for package in site_settings.input_packages():
    app.add_typer(importlib.import_module(f"{package}.commands").app, name=package.rpartition(".")[2])

console = Console(highlight=False)
Site = Annotated[str | None, typer.Option("--site", help="A site of infra/sites; else the one last run.")]


def main() -> None:
    """Run the command line. A UserError is printed with its way out, and ends with code 1."""
    # Asked to end, a command stops what it started, as it does when interrupted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(prog_name="edulake")
    except UserError as error:
        shown = Console(stderr=True, highlight=False)
        shown.print(f"[bold red]Error[/] {error.message}", soft_wrap=True)
        shown.print(f"[bold]What to do[/] {error.way_out}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Nothing is lost: run the same command again.")
        sys.exit(130)


@app.command()
def run(
    site: Annotated[str, typer.Option("--site", help="A site of infra/sites.")] = site_settings.DEFAULT_SITE,
    scale: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Size of the synthetic city; 1 is all of Beijing.")
    ] = 0.02,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic city.")] = 7,
) -> None:
    """From landed files to a published release, by one Airflow DAG run. Again: only what is new."""
    from jobs.run import command

    command.run(site_settings.load(site), scale=scale, seed=seed, console=console)


@app.command()
def land(
    file: Annotated[Path, typer.Argument(help="The file as its sender sent it.")],
    feed: Annotated[str, typer.Option(help="The feed it belongs to.")],
    sender: Annotated[
        str, typer.Option(help="Code of the sender: a district, a school, or the city 110000.")
    ],
    received: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day received; else the newest day landed.")
    ] = None,
    site: Site = None,
) -> None:
    """Hand one file in: it is copied to a new delivery in landing, and taken by the next run."""
    from jobs.lake import deliveries

    settings = site_settings.load(site).prepare()
    day = received.date() if received else _newest_day(settings)
    where = deliveries.land(settings, file, feed, sender, day)
    console.print(f"landed: {where}\nnext: ./edulake run --site {settings.site}", soft_wrap=True)


@app.command()
def dictionary() -> None:
    """Write the data dictionary (docs/dictionary) from the declarations."""
    from jobs.declare import dictionary as pages

    console.print(f"{pages.write()} pages in {pages.FOLDER}", soft_wrap=True)


@app.command()
def status(site: Site = None) -> None:
    """Runs, release, deliveries that wait, are held or were refused, and checks that failed."""
    from jobs.run import summary

    summary.status(site_settings.load(site), console)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over the marts of the published release.")],
    site: Site = None,
    release: Annotated[int | None, typer.Option(help="An older release.")] = None,
    lake: Annotated[
        bool, typer.Option("--lake", help="Ask the lake's Delta tables instead of the marts.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown.")] = 50,
) -> None:
    """Ask the release (or the lake) with SQL, read-only."""
    from jobs.run import summary

    columns, rows = summary.query(site_settings.load(site), query, release, lake)
    _show(columns, rows, csv, limit)


@app.command()
def asof(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="What was true on this day …")],
    query: Annotated[str, typer.Argument(help="One SELECT over the clean and decision tables.")],
    known: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="… as known at the end of this day; else all that was landed"
        ),
    ] = None,
    site: Site = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown.")] = 50,
) -> None:
    """Ask the lake as it was on a day and as it was known then, read-only, without Spark."""
    from jobs.lake import asof as history

    settings = site_settings.load(site)
    columns, rows = history.query(settings, query, day.date(), known.date() if known else None)
    _show(columns, rows, csv, limit)


def _show(columns: list[str], rows: list[tuple[Any, ...]], csv: bool, limit: int) -> None:
    """Rows as a table, or all of them as CSV."""
    if csv:
        import csv as writer

        out = writer.writer(sys.stdout, lineterminator="\n")
        out.writerow(columns)
        out.writerows(rows)
        return
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows[:limit]:
        table.add_row(*["" if value is None else str(value) for value in row])
    # Written to a file or a pipe, nothing needs to fit a screen.
    wide = console if console.is_terminal else Console(highlight=False, width=1000)
    wide.print(table)
    if len(rows) > limit:
        wide.print(f"{limit} of {len(rows)} rows shown; --limit or --csv shows more")


@app.command()
def serve(
    site: Site = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8090,
) -> None:
    """Serve the one-stop portal and its API from the published release, on loopback."""
    from portal.serve import serve as serve_portal

    serve_portal(site_settings.load(site), port)


@app.command()
def airflow(
    site: Site = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = None,
) -> None:
    """Open Airflow's web page on this site's DAG runs."""
    from jobs.run import airflow as orchestrate

    settings = site_settings.load(site).prepare()
    orchestrate.serve_ui(settings, **({"port": port} if port else {}), say=console.print)


@app.command()
def doctor(site: Site = None) -> None:
    """What was found on this machine, what is missing, and what for."""
    from jobs.run import doctor as examination

    raise typer.Exit(0 if examination.show(site_settings.load(site), console) else 1)


@app.command()
def clean(
    site: Site = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a site's lake: landing, tables, releases, Airflow's database. The environment stays."""
    import shutil

    from jobs.run import airflow as orchestrate
    from jobs.spark import server

    settings = site_settings.load(site)
    if not settings.home.exists():
        console.print(f"nothing to remove: {settings.home} does not exist", soft_wrap=True)
        return
    if not yes:
        typer.confirm(f"Remove {settings.home} with all its tables and releases?", abort=True)
    orchestrate.down(settings)
    server.stop(settings)
    shutil.rmtree(settings.home)
    console.print(f"removed {settings.home}", soft_wrap=True)


@app.command(name="test")
def check(
    everything: Annotated[
        bool, typer.Option("--all", help="Also the slow and the real: browser pages, scheduler, kills.")
    ] = False,
    only: Annotated[str, typer.Option("--only", help="A pytest expression to choose tests by name.")] = "",
) -> None:
    """Lint, types and tests. Tier 1 is what CI runs."""
    from jobs.cli import check as checks

    raise typer.Exit(checks.run(everything, only, console))


def _newest_day(settings: Any) -> date:
    from jobs.lake import deliveries

    files = deliveries.scan(settings)
    if not files:
        raise UserError(
            "nothing has been landed yet, so there is no newest day.", "Say --received YYYY-MM-DD."
        )
    return max(file.received for file in files)
