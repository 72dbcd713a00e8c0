"""`./edulake safety`: unusual counts in a file of time series, and the plan of visits of a site."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from jobs import settings as site_settings
from jobs.cli.detect_options import EarsOptions, FarringtonOptions, SeriesOptions
from jobs.cli.options import OutputCsv, Site, grouped, output_file
from jobs.cli.screen import print_notes
from jobs.screen import console, remarks
from jobs.settings import UserError

app = typer.Typer(
    help="安全 Early warning from illness reports, and which schools to visit first.", no_args_is_help=True
)

_PLAN = """
select
    row_number() over (order by visit_rank) as visit, school_code, school_name, district_code, visit_number,
    incident_rate, open_hazard_count, overdue_hazard_count, risk_before, risk_lowered,
    sum(risk_lowered) over (order by visit_rank) as risk_lowered_total
from fct_safety_inspection_plan
{where}
order by visit_rank
limit {visits}
"""
# What the printed plan can do without on a narrow screen; --output has all columns.
_SPARE = (
    "visit_number",
    "incident_rate",
    "open_hazard_count",
    "risk_before",
    "risk_lowered_total",
)


@app.command()
@grouped
def detect(
    input: Annotated[
        Path, typer.Option(help="CSV: unit, date, count (a week is its Monday), or unit, t, count.")
    ],
    output: OutputCsv,
    series: SeriesOptions,
    ears: EarsOptions,
    farrington: FarringtonOptions,
) -> None:
    """Find unusual counts: for each row the expected count, an upper bound, and whether it is an alarm.

    对每个单位的计数序列逐日（周）给出期望值、上界和是否报警。

    Writes unit, date, count, expected, upper_bound, p_value, score, alarm (t for date where the input has t),
    sorted by unit and time. The answer is blank until the baseline is full. The score says how unusual a row
    is, on the normal scale: 3 is one in 741.

    Example: `./edulake safety detect --input series.csv --calendar days.csv --output alarms.csv`
    """
    from jobs.decide.safety.detect import detect_frame
    from jobs.decide.safety.gaps import completed
    from jobs.decide.safety.series_file import check_writable, read_calendar, read_series, write

    given = _parameters(series.method, ears, farrington)
    counts = read_series(input)
    days = read_calendar(series.calendar) if series.calendar else None
    first = _start(series.start, "date" in counts.columns)
    check_writable(output)
    counts, told = completed(counts, series.freq, series.frequency, days, series.missing)
    for remark in told:
        remarks.say(("note:", "yellow"), f" {remark}")
    with Progress(console=remarks, transient=True, disable=not remarks.is_terminal) as bar:
        task = bar.add_task(series.method, total=None)
        found = detect_frame(
            counts,
            series.method,
            freq=series.freq,
            frequency=series.frequency,
            calendar=days,
            alpha=series.alpha,
            baseline=series.baseline,
            start=first,
            fdr=series.fdr,
            parameters=given,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    write(found, output)
    judged = int(found["alarm"].notna().sum())
    remarks.say(
        f"units: {found['unit'].nunique()}; rows judged: {judged} of {len(found)}; alarms:"
        f" {int(found['alarm'].sum())} → {output}"
    )
    if not judged:
        raise UserError(
            "no row was judged: every answer is blank.",
            "The first steps are the baseline: give more of them, a lower --baseline, or an earlier --from.",
        )


@app.command()
def plan(
    visits: Annotated[int, typer.Option(help="How many visits can be made.", min=1)],
    output: Annotated[
        Path | None, typer.Option(help="CSV to write. Default: a table is printed.", callback=output_file)
    ] = None,
    district: Annotated[str | None, typer.Option(help="Only schools of the district with this code.")] = None,
    site: Site = None,
) -> None:
    """List the visits to schools that lower the expected incidents most, from the published release.

    列出最能降低事故风险的检查安排。

    The model and its assumptions: docs/decisions/safety-rules.md.

    Example: `./edulake safety plan --visits 50`
    """
    from jobs import origin
    from jobs.publish import questions

    if district is not None and not district.isdigit():
        raise UserError(f"--district is {district}", "give a code of digits, such as 110105")
    where = f"where district_code = '{district}'" if district else ""
    query = _PLAN.format(where=where, visits=visits)
    settings = site_settings.load(site)
    with questions.on_release(settings, query) as answer:
        columns, rows, notes = answer.columns, list(answer.rows()), answer.notes
    if not rows:
        raise UserError(
            "the release plans no visit there", "run the safety service, or name another district"
        )
    closing = f"{len(rows)} visits lower the incidents expected by {rows[-1][-1]}"
    if output is None:
        console.table(columns, rows, spare=_SPARE)
        remarks.say(closing)
    else:
        if settings.is_synthetic:
            columns, rows = [*columns, origin.COLUMN], [(*row, "true") for row in rows]
        _write_csv(columns, rows, output)
        remarks.say(f"{closing} → {output}")
    print_notes(notes)


def _parameters(method: str, ears: EarsOptions, farrington: FarringtonOptions) -> dict[str, Any]:
    """The parameters that were given. Raises UserError for one that belongs to another method."""
    options = {"ears": asdict(ears), "farrington": asdict(farrington)}
    options["farrington"]["threshold_method"] = farrington.chosen_threshold()
    del options["farrington"]["nb_plugin"]
    family = method.partition("_")[0]
    strange = [
        f"--{name.replace('_', '-')}"
        for other, values in options.items()
        for name, value in values.items()
        if value is not None and other != family
    ]
    if strange:
        raise UserError(
            f"{', '.join(strange)} is not for {method}", "leave it out, or choose another --method"
        )
    return {name: value for name, value in options.get(family, {}).items() if value is not None}


def _start(text: str | None, dated: bool) -> dt.date | int | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text) if dated else int(text)
    except ValueError:
        raise UserError(f"--from is {text}", "give a date, 2026-09-01, or a t for a series with t") from None


def _write_csv(columns: list[str], rows: list[tuple[Any, ...]], path: Path) -> None:
    from jobs import cells
    from jobs.decide.safety.series_file import check_writable
    from jobs.files import OUTPUT_MODE, replacing

    check_writable(path)
    with replacing(path, OUTPUT_MODE) as fresh, fresh.open("w", encoding="utf-8", newline="") as file:
        cells.write(file, columns, rows)
