"""`./edulake fitness`: scores a file of results by the national standard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from jobs.cli.options import OutputCsv
from jobs.screen import remarks
from jobs.settings import UserError

_MOST_FAULTS = 8

app = typer.Typer(
    help="体质健康 How fit pupils are, by the national standard (2014 edition).", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Typer would take an application with one command for that command."""


@app.command()
def score(
    input: Annotated[
        Path,
        typer.Option(
            help="CSV (UTF-8) with grade_code, sex_code and results: height_cm, weight_kg (or bmi), "
            "vital_capacity_ml, run_50m_s, … Times are seconds; a blank is not tested. "
            "Headings and grades of our tables and templates are taken, too. Other columns are copied."
        ),
    ],
    output: OutputCsv,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file with decisions that the standard leaves open.")
    ] = None,
) -> None:
    """Score each row by the national tables: points, bonus, total and level.

    按《国家学生体质健康标准（2014年修订）》逐行评分：单项得分、加分、标准分、总分、等级与状态。

    Every row in gives one row out, in order. status: scored 已评分, retest 补测, incomplete 缺项,
    missing 未测, exempt 免测, deferred 缓测, invalid 数据有误; status_reason names items and columns.
    Optional columns: test_date (which edition applies), is_retest, exemption_status (exempt, deferred).

    Example: `./edulake fitness score --input results.csv --output scores.csv`
    """
    from jobs.decide.fitness.score import STATUS_ZH
    from jobs.decide.fitness.score_columns import GRADES, SEXES
    from jobs.decide.fitness.score_file import read_settings, score_file
    from jobs.decide.fitness.standard import DEFAULTS

    begun = time.monotonic()
    open_points = read_settings(settings) if settings else DEFAULTS
    with Progress(console=remarks, transient=True, disable=not remarks.is_terminal) as shown:
        task = shown.add_task("评分 scoring", total=input.stat().st_size if input.is_file() else None)
        tally = score_file(input, output, open_points, lambda read: shown.update(task, completed=read))
    total = tally.statuses.total()
    remarks.say(f"{total:,} rows in {output}, {time.monotonic() - begun:.1f} s")
    for status, count in tally.statuses.most_common():
        remarks.say(f"  {count:>9,}  {status} {STATUS_ZH[status]}")
    faults = [f"{fault} {count:,}" for fault, count in tally.faults().most_common(_MOST_FAULTS)]
    if not tally.with_points:
        raise UserError(
            f"none of the {total:,} rows was scored (status_reason, rows: {'; '.join(faults) or 'no rows'}).",
            f"grade_code is {GRADES}; sex_code is {SEXES}. What is wrong with each row stands in {output}.",
        )
    if faults:
        remarks.say(
            f"points in {tally.with_points:,} of {total:,} rows; status_reason has why: {'; '.join(faults)}"
        )
