"""`./edulake audit`: who read and wrote what, and whether the trail is as it was written."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Limit, Site
from jobs.screen import console

app = typer.Typer(
    help="审计记录 The trail of scoped reads and of writes: show it, verify it.", no_args_is_help=True
)


@app.command()
def verify(
    anchor: Annotated[
        str, typer.Option(help="Hash of a last line, as an earlier `audit verify` printed it.")
    ] = "",
    site: Site = None,
) -> None:
    """Verify the whole trail: each change, removal, reordering and cut is named with segment and line.

    核验审计记录；发现改动、删除、调序或截断时指出所在文件与行，并以代码 1 结束。

    Keep the hash that it prints elsewhere: with `--anchor` it proves later that nothing before it changed.
    """
    from jobs.access import verify as verifying

    found = verifying.verify(site_settings.load(site), anchor)
    for note in found.notes:
        console.say(("Note", "yellow"), f" {note.segment} line {note.line} {note.words}")
    for fault in found.faults:
        place = f"{fault.segment} line {fault.line}" if fault.line else fault.segment
        console.say(("Fault", "bold red"), f" {place} {fault.words}")
    if found.faults:
        sys.exit(1)
    console.say(f"{found.lines} lines, whole. The last is number {found.number}, hash {found.hash}")


@app.command()
def show(
    subject: Annotated[str, typer.Option(help="Person, key, code, delivery or event. Default: all.")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC).")
    ] = None,
    site: Site = None,
    limit: Limit = 50,
) -> None:
    """Show who read and wrote what, the newest last.

    查看谁在何时读取或写入了什么。

    Example: `./edulake audit show --subject demo-district-110101 --since 2026-12-01`
    """
    from jobs.access import trail

    day = since.date().isoformat() if since else ""
    found = [*trail.lines(site_settings.load(site), subject, day)]
    names = ("at", "act", "by", "role", "via", "on", "route", "audience", "release", "rows", "outcome")
    rest = [{key: of[key] for key in of if key not in (*names, "n", "prev")} for of in found]
    rows = [
        (of["n"], *(of.get(name) for name in names), ", ".join(f"{k}={v}" for k, v in more.items()))
        for of, more in zip(found, rest, strict=True)
    ]
    console.table(("n", *names, "more"), rows[-limit:], spare=("n",), breakable=("more", "route"))
    if len(rows) > limit:
        console.say(f"the last {limit} of {len(rows)} lines; --limit shows more")
