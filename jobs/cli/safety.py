"""`edulake safety`: early warning from the command line."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import pandas as pd
import pyarrow as pa
import typer
from pyarrow import csv as arrow_csv
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from jobs import settings as site_settings
from jobs.decide.safety.detect import METHODS, Method, detect_frame
from jobs.files import replacing
from jobs.settings import UserError

app = typer.Typer(help="Campus safety: early warning.", no_args_is_help=True)

# No count of a school is as large; beyond, neighbouring whole numbers are soon no longer told apart.
_TOO_MANY = 1e12
_FARRINGTON = "Farrington methods"
_EARS = "EARS methods"


@app.callback()
def safety() -> None:
    """Campus safety: early warning."""


@app.command()
def detect(
    input: Annotated[Path, typer.Option(help="CSV: unit,date,count (weekly: the Monday) or unit,t,count.")],
    output: Annotated[Path, typer.Option(help="CSV to write; replaced whole, or not at all.")],
    method: Annotated[str, typer.Option(help=" | ".join(METHODS))] = "school",
    freq: Annotated[str, typer.Option(help="daily | weekly")] = "daily",
    frequency: Annotated[
        int | None, typer.Option(help="Steps of a year, 12, 52 or 365; by default as --freq says.")
    ] = None,
    calendar: Annotated[
        Path | None, typer.Option(help="CSV: date,is_open (1/0, true/false). Closed days are left out.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="Level. Default: EARS 0.001 (C3 0.025), Farrington 0.005, school 0.01."),
    ] = None,
    baseline: Annotated[
        int | None,
        typer.Option(
            help="Steps before the first answer. EARS 7, school 40 (weekly 26), Farrington: by --b, --w."
        ),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First date (or t) to answer for.")] = None,
    fdr: Annotated[
        float | None,
        typer.Option(help="Alarms by false-discovery rate over the units of a step, not by alpha."),
    ] = None,
    min_sigma: Annotated[
        float | None, typer.Option(help="Least deviation.  [default: 0]", rich_help_panel=_EARS)
    ] = None,
    b: Annotated[
        int | None, typer.Option("--b", help="Years back.  [default: 5]", rich_help_panel=_FARRINGTON)
    ] = None,
    w: Annotated[
        int | None,
        typer.Option("--w", help="Half window, in steps.  [default: 3]", rich_help_panel=_FARRINGTON),
    ] = None,
    reweight: Annotated[
        bool | None,
        typer.Option(
            "--reweight/--no-reweight",
            help="Weight past outbreaks down.  [default: reweight]",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None,
    weights_threshold: Annotated[
        float | None,
        typer.Option(help="From which residual on.  [default: 2.58, classic 1]", rich_help_panel=_FARRINGTON),
    ] = None,
    no_periods: Annotated[
        int | None,
        typer.Option("--no-periods", help="Seasons.  [default: 10, classic 1]", rich_help_panel=_FARRINGTON),
    ] = None,
    threshold_method: Annotated[
        str | None,
        typer.Option(
            help="delta | nbPlugin | muan  [default: nbPlugin, classic delta]", rich_help_panel=_FARRINGTON
        ),
    ] = None,
    nb_plugin: Annotated[
        bool | None,
        typer.Option(
            "--nb-plugin/--delta",
            help="The two usual --threshold-method, in short.",
            show_default=False,
            rich_help_panel=_FARRINGTON,
        ),
    ] = None,
    trend: Annotated[
        bool | None,
        typer.Option(
            "--trend/--no-trend", help="Fit a trend.  [default: trend]", rich_help_panel=_FARRINGTON
        ),
    ] = None,
    p_threshold_trend: Annotated[
        float | None,
        typer.Option(
            help="Keep the trend below this p.  [default: 1, classic 0.05]", rich_help_panel=_FARRINGTON
        ),
    ] = None,
    past_weeks_not_included: Annotated[
        int | None,
        typer.Option(help="Newest steps left out.  [default: 26, classic 3]", rich_help_panel=_FARRINGTON),
    ] = None,
    limit54: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--limit54",
            help="Cases in so many steps for an alarm.  [default: 5 4]",
            rich_help_panel=_FARRINGTON,
        ),
    ] = None,
    powertrans: Annotated[
        str | None, typer.Option(help="none | 1/2 | 2/3  [default: 2/3]", rich_help_panel=_FARRINGTON)
    ] = None,
) -> None:
    """Say for each row of a series of counts what was expected, and whether it is an alarm.

    Writes unit,date,count,expected,upper_bound,p_value,score,alarm (t for date where the input has t),
    sorted by unit and time; blank before the baseline is full. The score orders days by strangeness, on the
    normal scale.
    """
    _one_of("--method", method, METHODS)
    _one_of("--freq", freq, ("daily", "weekly"))
    _one_of("--frequency", frequency, (None, 12, 52, 365))
    _one_of("--threshold-method", threshold_method, (None, "delta", "nbPlugin", "muan"))
    _one_of("--powertrans", powertrans, (None, "none", "1/2", "2/3"))
    for name, level in (("--alpha", alpha), ("--fdr", fdr)):
        if level is not None and not 0 < level < 1:
            raise UserError(f"{name} is {level}", "give a number between 0 and 1")
    for name, number, least in (
        ("--baseline", baseline, 3),
        ("--b", b, 1),
        ("--w", w, 0),
        ("--no-periods", no_periods, 1),
        ("--past-weeks-not-included", past_weeks_not_included, 0),
    ):
        if number is not None and number < least:
            raise UserError(f"{name} is {number}", f"give {least} or more")
    if nb_plugin is not None:
        short = "nbPlugin" if nb_plugin else "delta"
        if threshold_method not in (None, short):
            raise UserError(
                f"--threshold-method is {threshold_method}, and {short} is asked for too", "give one"
            )
        threshold_method = short
    ears = {"min_sigma": min_sigma}
    farrington = {
        "b": b,
        "w": w,
        "reweight": reweight,
        "weights_threshold": weights_threshold,
        "no_periods": no_periods,
        "threshold_method": threshold_method,
        "trend": trend,
        "p_threshold_trend": p_threshold_trend,
        "past_weeks_not_included": past_weeks_not_included,
        "limit54": limit54,
        "powertrans": powertrans,
    }
    own: dict[str, Any] = {}
    if method.startswith("ears_"):
        own = ears
    elif method.startswith("farrington_"):
        own = farrington
    given = {name: value for name, value in (ears | farrington).items() if value is not None}
    strange = [f"--{name.replace('_', '-')}" for name in given if name not in own]
    if strange:
        raise UserError(
            f"{', '.join(strange)} is not for {method}", "leave it out, or choose another --method"
        )

    series = read_series(input)
    days = read_calendar(calendar) if calendar else None
    first = _start(start, "date" in series.columns)
    _writable(output)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(method, total=None)
        found = detect_frame(
            series,
            cast(Method, method),
            freq=cast(Literal["daily", "weekly"], freq),
            frequency=cast(Literal[12, 52, 365] | None, frequency),
            calendar=days,
            alpha=alpha,
            baseline=baseline,
            start=first,
            fdr=fdr,
            parameters=given,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _write(found, output)
    alarms = int(found["alarm"].sum())
    console.print(
        f"{found['unit'].nunique()} units, {int(found['alarm'].notna().sum())} of {len(found)} rows judged,"
        f" {alarms} alarms → {output}"
    )


@app.command()
def plan(
    visits: Annotated[int, typer.Option(help="How many visits there are to spend.", min=1)],
    output: Annotated[Path | None, typer.Option(help="CSV to write, in place of a table here.")] = None,
    district: Annotated[str | None, typer.Option(help="Only schools of this district, by code.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="A site; else the one last run.")] = None,
) -> None:
    """The visits that lower the risk of incidents most, from the published release.

    The model and its assumptions: docs/decisions/safety-rules.md.
    """
    from jobs.run import summary  # opens the release; `detect` needs no lake

    if district is not None and not district.isdigit():
        raise UserError(f"--district is {district}", "give a code of digits, such as 110105")
    where = f"where district_code = '{district}'" if district else ""
    columns, rows = summary.query(
        site_settings.load(site),
        "select row_number() over (order by visit_rank) as visit, school_code, school_name, district_code,"
        " visit_number, incident_rate, open_hazard_count, overdue_hazard_count, risk_before, risk_lowered,"
        " sum(risk_lowered) over (order by visit_rank) as risk_lowered_total"
        f" from fct_safety_inspection_plan {where} order by visit_rank limit {visits}",
        None,
        False,
    )
    if not rows:
        raise UserError(
            "the release plans no visit there", "run the safety service, or name another district"
        )
    if output is not None:
        _writable(output)
        with replacing(output) as fresh, fresh.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([columns, *rows])
    else:
        table = Table(*columns)
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        Console().print(table)
    told = f"{len(rows)} visits lower the incidents expected by {rows[-1][-1]}"
    Console(stderr=True).print(told if output is None else f"{told} → {output}")


def _one_of(option: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        names = ", ".join(str(one) for one in allowed if one is not None)
        raise UserError(f"{option} is {value}", f"give one of {names}")


def _start(text: str | None, dated: bool) -> dt.date | int | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text) if dated else int(text)
    except ValueError:
        raise UserError(f"--from is {text}", "give a date, 2026-09-01, or a t for a series with t") from None


def _cells(path: Path, columns: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], pd.DataFrame]:
    """All cells as text, indexed by line number; the header must have one of the sets of columns."""
    try:
        # No row is skipped, so that a row's place is its line; blank ones go afterwards.
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8", "save it as UTF-8") from error
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except pd.errors.ParserError as error:
        why = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise UserError(f"{path}: {why}", "give each line the cells of the header") from error
    table.columns = table.columns.astype(str).str.strip()
    found = next((names for names in columns if set(names) <= set(table.columns)), None)
    if found is None:
        wanted = " or ".join(",".join(names) for names in columns)
        here = ",".join(table.columns) or "none"
        raise UserError(f"{path}, line 1: the columns are {here}", f"give {wanted}")
    _no_short_line(path, table.shape[1])
    cells = table[list(found)].apply(lambda column: column.str.strip())
    cells.index = pd.RangeIndex(2, len(cells) + 2)
    return found, cells[(cells != "").any(axis=1)].copy()


def _no_short_line(path: Path, columns: int) -> None:
    """The reader fills a line that breaks off with empty cells; a file cut short must not pass as missing
    counts."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.count(b",") < columns - 1 and b'"' not in line and line.strip():
                raise UserError(
                    f"{path}, line {number}: the line breaks off", "give each line the cells of the header"
                )


def _bad(path: Path, bad: pd.Series, column: str, why: str, way_out: str) -> None:
    if bad.any():
        raise UserError(f"{path}, line {bad.index[bad.to_numpy()][0]}, column {column}: {why}", way_out)


def _dates(path: Path, text: pd.Series) -> pd.Series:
    dates = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    _bad(path, dates.isna(), "date", "not a date", "write dates as 2026-09-01")
    return dates


def read_series(path: Path) -> pd.DataFrame:
    """`unit, date|t, count`; an empty count is missing. Raises UserError with file, line and column."""
    columns, cells = _cells(path, (("unit", "date", "count"), ("unit", "t", "count")))
    _bad(path, cells["unit"] == "", "unit", "empty", "name the unit of each row")
    count = pd.to_numeric(cells["count"], errors="coerce")
    wrong = (cells["count"] != "") & ~((count >= 0) & (count < _TOO_MANY) & (count % 1 == 0))
    _bad(path, wrong, "count", "not a count", "counts are whole numbers, 0 or more; leave unknown ones empty")
    series = pd.DataFrame({"unit": cells["unit"]})
    time = columns[1]
    if time == "date":
        series["date"] = _dates(path, cells["date"])
    else:
        t = pd.to_numeric(cells["t"], errors="coerce")
        _bad(path, ~((t >= 1) & (t % 1 == 0)), "t", "not a step", "number the steps 1 … n")
        series["t"] = t.astype(int)
    series["count"] = count
    _bad(
        path,
        series.duplicated(["unit", time]),
        time,
        "this unit has the step already",
        "keep one row per step",
    )
    return series


def read_calendar(path: Path) -> pd.DataFrame:
    """`date, is_open`. Raises UserError with file, line and column."""
    _, cells = _cells(path, (("date", "is_open"),))
    truth = cells["is_open"].str.lower().map({"1": True, "true": True, "0": False, "false": False})
    _bad(path, truth.isna(), "is_open", "neither open nor closed", "write 1 or 0, true or false")
    days = pd.DataFrame({"date": _dates(path, cells["date"]), "is_open": truth})
    _bad(path, days.duplicated("date"), "date", "this day stands twice", "keep one row per day")
    return days


def _writable(path: Path) -> None:
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder", "make it, or give another --output")


def _write(found: pd.DataFrame, path: Path) -> None:
    if "date" in found.columns:
        found = found.assign(date=found["date"].dt.strftime("%Y-%m-%d"))
    found = found.assign(count=found["count"].astype("Int64"))
    table = pa.Table.from_pandas(found, preserve_index=False)
    with replacing(path) as fresh, fresh.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        arrow_csv.write_csv(table, file, arrow_csv.WriteOptions(include_header=False, quoting_style="needed"))
