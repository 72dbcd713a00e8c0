"""`./edulake evaluation collected`: which items of a request form need not be asked again (一数一源)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site, output_file
from jobs.screen import console, remarks
from jobs.settings import UserError


def collected(
    form: Annotated[Path, typer.Argument(help="The form: a workbook (xlsx, xls, ods) or CSV.")],
    output: Annotated[
        Path | None, typer.Option(help="CSV of the answers to write.", callback=output_file)
    ] = None,
    site: Site = None,
) -> None:
    """Say of each item of a request form whether the lake already holds it (一数一源核查).

    Items are the headings of a form, across or down; titles, units, numbers and notes do not matter. 已有: a
    dataset has it. 可由已有数据计算: a metric, a mart or a count of rows answers. 部分: at another grain, or
    of some only. 待确认: a name is similar, with its score from 0 to 1; look yourself, for it counts as
    nothing. 没有: nobody sends it. Only the first two count as held. Without a lake there are no dates.

    Example: `./edulake evaluation collected 调查表.xlsx --output 核查结果.csv`
    """
    from jobs import cells
    from jobs.decide.evaluation.collected import report

    if not form.is_file():
        raise UserError(f"{form} is no file.", "Name the form: a workbook or a CSV file.")
    if output is not None and output.exists() and output.samefile(form):
        raise UserError(f"{output} is the form itself.", "Give --output another name.")
    found = report.answers(form)
    settings = site_settings.load(site)
    known = report.newest(settings)
    told = report.rows(found, known)
    if output is not None:
        with output.open("w", encoding="utf-8-sig", newline="") as file:
            cells.write(file, report.COLUMNS, told)
    shown = {name: place for place, name in enumerate(report.COLUMNS)}
    console.table(
        ("项目", "结论", "出处", "来源", "最近报送", "相似度", "说明"),
        [
            (
                " / ".join(str(row[shown[name]]) for name in ("group", "item") if row[shown[name]]),
                *(row[shown[n]] for n in ("status", "held_in", "source", "newest_delivery", "score", "note")),
            )
            for row in told
        ],
        breakable=("出处", "说明", "来源"),
        spare=("来源", "说明"),
    )
    console.say(report.summary(found))
    if not known:
        remarks.say(f"no lake of {settings.site} is there, so no date is told")
    if output is not None:
        remarks.say(f"written: {output}")
