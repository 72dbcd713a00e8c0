"""`./edulake delivery`: what was handed in together, and taking back what was handed in by error."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Limit, Site
from jobs.screen import console

app = typer.Typer(help="批次 What was handed in together; take a delivery back.", no_args_is_help=True)


@app.command(name="list")
def list_deliveries(
    site: Site = None,
    sender: Annotated[str | None, typer.Option(help="Show only this sender.")] = None,
    limit: Limit = 50,
) -> None:
    """List deliveries, the newest first: what became of their files, and which were withdrawn.

    查看各批次：文件的处理结果，是否已撤回。
    """
    from jobs.ingest import withdrawing

    found = withdrawing.listed(site_settings.load(site), sender)
    rows = [
        (
            one.delivery_id,
            ", ".join(f"{count} {outcome}" for outcome, count in sorted(one.outcomes.items())),
            f"{one.withdrawal.withdrawn_on}: {one.withdrawal.reason}" if one.withdrawal else None,
        )
        for one in found[:limit]
    ]
    console.table(("delivery", "files", "withdrawn"), rows, breakable=("files", "withdrawn"))
    if len(found) > limit:
        console.say(f"{limit} of {len(found)} deliveries shown; --limit shows more")


@app.command()
def withdraw(
    delivery: Annotated[str, typer.Argument(help="<feed>/<sender>/<day>_<number>, see `delivery list`.")],
    reason: Annotated[
        str, typer.Option(help="Why, as its sender will read it. Name no pupil and no number of one.")
    ],
    by: Annotated[
        str | None, typer.Option(help="Who withdraws it. Default: the user of this machine.")
    ] = None,
    site: Site = None,
) -> None:
    """Take back a delivery that was handed in by error (wrong file, wrong day). Nothing is deleted.

    撤回误报的批次：自撤回之日起不再生效，原文件与处理记录保留；更正后可重新报送。

    From its day on nothing counts that it states; what it had replaced counts again. To undo it, hand the
    file in again.

    Example: `./edulake delivery withdraw place_demand/110000/2025-09-10_1 --reason 日期有误`
    """
    from jobs.ingest import withdrawing

    settings = site_settings.load(site).prepare()
    done = withdrawing.withdraw(settings, delivery, by or getpass.getuser(), reason)
    told = done.withdrawal
    word = "withdrawn" if done.is_new else "was withdrawn already"
    console.say(
        f"{told.delivery_id} {word}: from {told.withdrawn_on} on, by {told.withdrawn_by}: {told.reason}",
    )
    for file in done.judged_anew:
        console.say(f"  judged anew by the next run: {file}")
    report = settings.command("feed", "report", "--all-of", told.delivery_id.split("/")[1])
    console.say(
        f"what its sender is told: {report}\nnext: {settings.command('run')}",
    )
