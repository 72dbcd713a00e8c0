"""`./edulake calendar`: who owes what by when, who is late, sign-off, locks and exceptions."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated, Literal

import typer

from jobs import settings as site_settings
from jobs.cli.options import Limit, Site
from jobs.screen import console

app = typer.Typer(
    help="报送日历 Who owes what by when, who is late; sign-off, locks and exceptions.", no_args_is_help=True
)

Dataset = Annotated[str, typer.Argument(help="A dataset, such as pupil_roll; see `calendar show`.")]
Period = Annotated[str, typer.Argument(help="A period as `calendar show` names it, such as 2025-2026-1.")]
Units = Annotated[
    list[str],
    typer.Option(
        "--unit", help="District, or the office that sends a dataset of the whole city; may be repeated."
    ),
]
By = Annotated[str | None, typer.Option(help="Who does it. Default: the user of this machine.")]
Reason = Annotated[str | None, typer.Option(help="Why. Name no pupil and no number of one.")]


@app.command()
def show(
    dataset: Annotated[str | None, typer.Option(help="Show only this dataset.")] = None,
    unit: Annotated[str | None, typer.Option(help="Show only this district or office.")] = None,
    period: Annotated[str | None, typer.Option(help="Show only this period.")] = None,
    late: Annotated[bool, typer.Option("--late", help="Show only who is late now.")] = False,
    site: Site = None,
    limit: Limit = 50,
) -> None:
    """Show what was due, what came, who is late by how many days, and how far it is signed off.

    查看应报、已报、逾期天数与签核状态。

    Example: `./edulake calendar show --late`
    """
    from jobs.publish import signing

    found = signing.rows(site_settings.load(site), dataset=dataset, unit=unit, period=period, late=late)
    # The newest first, except of those who are late: they have waited longest.
    shown = found if late else found[::-1]
    rows = [
        (
            row["dataset"],
            row["period"],
            row["sender_code"],
            row["due_date"],
            row["accepted_on"],
            row["reporting_state_zh"],
            row["days_late"] or None,
            row["sign_off_state"],
            row["exception_until"],
        )
        for row in shown[:limit]
    ]
    heads = ("dataset", "period", "sender", "due", "accepted", "state", "days late", "signed", "exception")
    console.table(heads, rows)
    if len(found) > limit:
        console.say(f"{limit} of {len(found)} rows shown; --limit shows more")


@app.command()
def sign(
    dataset: Dataset,
    period: Period,
    unit: Units,
    level: Annotated[
        Literal["district", "city"], typer.Option(help="Who signs: the district first, then the city.")
    ],
    reason: Reason = None,
    by: By = None,
    site: Site = None,
) -> None:
    """Sign off what came of a dataset for a period: the district first, then the city.

    签核：先区级，后市级；有逾期、暂缓、缺报或退回行时须说明理由。

    Example: `./edulake calendar sign pupil_roll 2025-2026-1 --unit 110101 --level district`
    """
    _act(site, dataset, period, unit, f"sign_{level}", by, reason)


@app.command()
def lock(
    dataset: Dataset, period: Period, unit: Units, reason: Reason = None, by: By = None, site: Site = None
) -> None:
    """Lock what the city has signed: from now on nothing more is taken of it without an exception.

    锁定：市级签核后不再接收，更正须先申请例外。
    """
    _act(site, dataset, period, unit, "lock", by, reason)


@app.command()
def unlock(
    dataset: Dataset, period: Period, unit: Units, reason: Reason = None, by: By = None, site: Site = None
) -> None:
    """Open what was signed or locked again; it needs a reason, and is signed anew.

    解锁：须说明理由，之后重新签核。
    """
    _act(site, dataset, period, unit, "unlock", by, reason)


@app.command(name="except")
def give_exception(
    dataset: Dataset,
    period: Period,
    unit: Units,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on which it holds.")],
    reason: Annotated[str, typer.Option(help="Why. Name no pupil and no number of one.")],
    sender: Annotated[
        str | None, typer.Option(help="Only for this sender. Default: all of the unit.")
    ] = None,
    by: By = None,
    site: Site = None,
) -> None:
    """Let a unit, or one sender of it, hand in late or after the lock, until a day.

    例外：说明理由与截止日；例外期内可补报、更正，不计逾期。

    Example: `./edulake calendar except drill 2025-2026 --unit 110101 --until 2026-08-01 --reason 校舍迁移`
    """
    from jobs.publish import signing

    settings = site_settings.load(site).prepare()
    for one in unit:
        scope = signing.scope_of(settings, dataset, period, one)
        done = signing.give_exception(settings, scope, by or getpass.getuser(), reason, until.date(), sender)
        word = "stands already" if not done.is_new else "given"
        console.say(f"{scope}: exception {word}, until {done.act.until_date}, by {done.act.stated_by}")
    console.say(f"next: {settings.command('run')}")


def _act(
    site: str | None,
    dataset: str,
    period: str,
    units: list[str],
    what: str,
    by: str | None,
    reason: str | None,
) -> None:
    from jobs.lake import sign_offs
    from jobs.publish import signing

    settings = site_settings.load(site).prepare()
    scopes = [signing.scope_of(settings, dataset, period, one) for one in units]
    for scope in scopes:
        done = signing.act(settings, scope, what, by or getpass.getuser(), reason)
        word = "" if done.is_new else "already "
        state = sign_offs.STATE_OF[what]
        console.say(f"{scope}: {word}{state}, {done.act.stated_on}, by {done.act.stated_by}")
    console.say(f"next: {settings.command('run')}")
