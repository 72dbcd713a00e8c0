"""`./edulake identity`: which pupil keys are one person, and a new key for all identifiers."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import DecisionDay, Site
from jobs.screen import console
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.settings import Settings

app = typer.Typer(
    help="身份 Which pupil keys are one person, and a new key for all identifiers.", no_args_is_help=True
)
Token = Annotated[str, typer.Argument(help="A pupil_key of a clean table.")]
OtherToken = Annotated[str, typer.Argument(help="The other pupil_key.")]


@app.command()
def links(site: Site = None) -> None:
    """List the links between pupil keys, each with its reason and day.

    列出学生标识之间的关联。
    """
    from jobs.lake import persons, tables

    rows = tables.rows(site_settings.load(site), persons.LINKS)
    rows = sorted(rows, key=lambda r: (r["person_token"], r["linked_person_token"], r["stated_on"]))
    console.table(
        ("token", "linked token", "reason", "stated on", "withdrawn", "note"),
        [
            (
                *(r["person_token"], r["linked_person_token"], r["link_reason_code"], r["stated_on"]),
                *("yes" if r["is_withdrawn"] else "", r["note"]),
            )
            for r in rows
        ],
    )


@app.command()
def link(
    token: Token,
    other: OtherToken,
    reason: Annotated[str, typer.Option(help="Why they are one person. Write no values of persons.")],
    on: DecisionDay = None,
    site: Site = None,
) -> None:
    """Declare that two pupil keys are one person. No row is rewritten.

    认定两个标识为同一学生。
    """
    _decide(site_settings.load(site), token, other, reason, on, are_one=True)


@app.command()
def unlink(
    token: Token,
    other: OtherToken,
    reason: Annotated[str, typer.Option(help="Why they are two persons. Write no values of persons.")],
    on: DecisionDay = None,
    site: Site = None,
) -> None:
    """Declare that two pupil keys are two persons, whatever evidence links them.

    认定两个标识不是同一学生。
    """
    _decide(site_settings.load(site), token, other, reason, on, are_one=False)


@app.command()
def rotate(
    new_key: Annotated[
        Path | None, typer.Option(help="File with the next key. A synthetic site makes its own.")
    ] = None,
    site: Site = None,
) -> None:
    """Put all identifiers under a new key. One small table is rewritten.

    更换密钥。
    """
    from jobs.ingest import rotation

    settings = site_settings.load(site)
    if new_key and settings.is_synthetic:
        raise UserError(f"{settings.site} makes its own keys.", "Leave --new-key out.")
    lookup = rotation.next_lookup(settings, new_key)
    if not lookup:
        raise UserError("a real site needs the next key.", "Name its file with --new-key.")
    counts = rotation.rotate(settings, lookup)
    console.say(f"{counts['identifiers']:,} identifiers stand under key version {counts['version']}")
    if new_key:
        console.say(f"now name {new_key} in EDULAKE_HMAC_KEY_FILE, and destroy the old key")


def _decide(
    settings: Settings, token: str, other: str, reason: str, on: datetime | None, *, are_one: bool
) -> None:
    from jobs.lake import persons

    persons.check_known(settings, token, other)
    day = on.date() if on else _newest(settings)
    persons.decide(settings, token, other, reason, day, are_one=are_one)
    console.say(f"stated on {day}; from the next run on, pupil_key follows it")


def _newest(settings: Settings) -> date:
    from jobs.lake import tables

    days = [row["received_date"] for row in tables.rows(settings, "ops__receipt", ["received_date"])]
    if not days:
        raise UserError(f"the lake of {settings.site} holds no delivery yet.", settings.command("run"))
    return max(days)
