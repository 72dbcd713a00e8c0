"""`./edulake lake`: is anything damaged on the disk, and mending it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console

if TYPE_CHECKING:
    from jobs.repair.finding import Finding

app = typer.Typer(help="数据湖 Is anything damaged on the disk? Mend it.", no_args_is_help=True)


@app.command()
def check(
    site: Site = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare names, sizes and counts; read no bytes.")
    ] = False,
) -> None:
    """Compare every table, landed file and release with all that is known of it. Changes nothing.

    核对数据湖：表日志与文件、行数与回执、接收区原文件、发布版与清单；只读，有问题时退出码为 1。

    It ends with 1 where something is wrong, and names each file and what `lake repair` will do.
    """
    from jobs.repair import check as checking

    settings = site_settings.load(site)
    found = checking.examine(settings, quick=quick, say=_say)
    _show(found)
    if wrong := checking.wrong(found):
        told = f"发现 {len(wrong)} 处问题 things are wrong."
        console.say((told, "bold red"), f" next: {settings.command('lake', 'repair')}")
        raise typer.Exit(1)
    console.say("未发现问题 nothing is wrong")


@app.command()
def repair(site: Site = None) -> None:
    """Mend what `lake check` finds: from the second copy, from raw, else from landing; say what cannot be.

    修复数据湖：从副本、原始层或接收区恢复；损坏的文件移入受限区，不删除；无法恢复的逐一说明。

    Damaged files are kept in the lake's folder `restricted/damaged`.
    """
    from jobs.repair import mend

    settings = site_settings.load(site).prepare()
    mended = mend.repair(settings, say=_say)
    if mended.left:
        _show(mended.left)
        told = f"{len(mended.left)} 处未能修复 could not be mended"
        console.say((told, "bold red"), ": docs/runbooks/damage.md says who can help")
        raise typer.Exit(1)
    console.say("已全部修复 everything is sound" if mended.done else "未发现问题 nothing is wrong")


def _say(text: str) -> None:
    console.say(f"  {text}")


def _show(found: Sequence[Finding]) -> None:
    if found:
        columns = ("file", "问题 wrong", "修复 repair will")
        console.table(columns, [one.cells() for one in found], breakable=columns[1:])
