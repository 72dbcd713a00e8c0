"""`edulake city`: write the synthetic city's feed files into a folder."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jobs.screen import console, remarks
from jobs.settings import UserError, writing

if TYPE_CHECKING:
    from synthetic.city.write import CitySummary

app = typer.Typer(
    help="Write a synthetic Beijing's feed files: real shapes, calibrated, about no real person.",
    no_args_is_help=True,
    add_completion=False,
)


_COLUMNS = (
    BarColumn(),
    TextColumn("{task.percentage:>3.0f} %"),
    TextColumn("{task.fields[files]} files"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
    TextColumn("{task.description}", markup=False),
)


def parse_years(text: str) -> tuple[int, int]:
    """`2024-2025` or `2025` -> first and last school year. Raises UserError."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text.strip())
    if not match:
        raise UserError(
            f"{text!r} is no span of school years.", "Write the first and the last, as 2024-2025."
        )
    return int(match[1]), int(match[2] or match[1])


@app.callback(invoke_without_command=True)
def city(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files: `<feed>/<sender>/<delivery>/<file>`.")
    ] = None,
    scale: Annotated[float, typer.Option(help="1 is the whole city, about 2.2 million children.")] = 0.02,
    years: Annotated[
        str, typer.Option(help="School years with pupils by name, first and last.")
    ] = "2024-2025",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    faults: Annotated[
        str,
        typer.Option(help="none, standard, kind=rate,… or standard,kind=rate,… (see: city faults)."),
    ] = "standard",
    truth: Annotated[
        Path | None, typer.Option(help="Folder for what no sender knows (default: `<out>/../truth`).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=16, help="Processes (default: two for a large city).")
    ] = None,
) -> None:
    """Write the files, and print what was written and what is hidden in them."""
    if context.invoked_subcommand:
        return
    if out is None:
        raise typer.BadParameter("give the folder to write to: --out DIR", context)
    from synthetic.city.write import write_city

    begun = time.monotonic()
    try:
        span = parse_years(years)
        with Progress(*_COLUMNS, console=remarks, transient=True) as progress:
            task = progress.add_task("schools and pupils", total=None, files=0)
            count = 0

            def show(file: str) -> None:
                nonlocal count
                count += 1
                progress.update(task, files=count, description=file)

            summary = write_city(
                out.expanduser(),
                scale,
                seed,
                span,
                faults,
                show,
                truth,
                workers,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
    except UserError as error:
        remarks.say(("edulake city:", "red"), f" {error.message}\n{error.way_out}")
        raise typer.Exit(2) from error
    _print_summary(summary, time.monotonic() - begun)


def _print_summary(summary: CitySummary, seconds: float) -> None:
    typer.echo(
        f"{summary.files} files of {summary.deliveries} deliveries, {summary.rows:,} rows, "
        f"{summary.byte_count / 1e6:.1f} MB in {seconds:.1f} s: {summary.out}"
    )
    for year, pupils in summary.pupils.items():
        typer.echo(f"  {year}: {pupils:,} pupils on the rolls, {summary.children[year]:,} with kindergartens")
    typer.echo(f"  {summary.schools} schools; newest delivery {summary.newest_delivery}")
    typer.echo(
        f"  hidden: {summary.outbreaks} outbreaks, "
        f"{sum(summary.faults.values())} faults of {len(summary.faults)} kinds (truth/)"
    )


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="The folder that the city was written to.")],
    truth: Annotated[
        Path | None, typer.Option(help="Where its truth lies (default: `<out>/../truth`).")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="The page (default: `<out>/city-report.html`).")] = None,
) -> None:
    """Draw a written city on one page that loads nothing: pyramid, map, wave, fitness, faults."""
    from synthetic.city.report import look
    from synthetic.city.report_page import write_page

    out = out.expanduser()
    target = page or out / "city-report.html"
    try:
        with remarks.status("reading the city's files …"):
            found = look(out, truth or out.parent / "truth")
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_page(found, target)
    except UserError as error:
        remarks.say(("edulake city report:", "red"), f" {error.message}\n{error.way_out}")
        raise typer.Exit(2) from error
    typer.echo(f"{target}")


@app.command()
def faults() -> None:
    """List the kinds of faults: what the sender did, and the standard share of lines, files or classes."""
    from synthetic.city.faults import KINDS

    rows = [(name, f"{kind.rate:g}", kind.unit, kind.meaning) for name, kind in KINDS.items()]
    console.table(("kind", "share", "of", "what the sender did"), rows, breakable=("what the sender did",))
