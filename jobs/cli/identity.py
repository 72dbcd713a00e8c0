"""`./edulake identity`: which tokens are one person, said and unsaid; a new key."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jobs import settings as site_settings
from jobs.settings import Settings, UserError

app = typer.Typer(help="Who is who: links between pupils' tokens, and the key.", no_args_is_help=True)
console = Console(highlight=False)
Site = Annotated[str | None, typer.Option("--site", help="A site of infra/sites; else the one last run.")]
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the decision; else the newest landed.")
]


@app.command()
def links(site: Site = None) -> None:
    """List all statements about who is who."""
    from jobs.lake import persons, tables

    table = Table("token", "linked token", "reason", "stated on", "withdrawn", "note")
    rows = tables.rows(site_settings.load(site), persons.LINKS)
    for row in sorted(rows, key=lambda r: (r["person_token"], r["linked_person_token"], r["stated_on"])):
        withdrawn = "yes" if row["is_withdrawn"] else ""
        cells = (row["link_reason_code"], str(row["stated_on"]), withdrawn, row["note"] or "")
        table.add_row(row["person_token"], row["linked_person_token"], *cells)
    (console if console.is_terminal else Console(highlight=False, width=1000)).print(table)


@app.command()
def link(
    token: Annotated[str, typer.Argument(help="A pupil_key of a clean table.")],
    other: Annotated[str, typer.Argument(help="Another one, of the same person.")],
    reason: Annotated[str, typer.Option(help="Why they are one person; no values.")],
    on: Day = None,
    site: Site = None,
) -> None:
    """Say that two tokens are one person; no row is rewritten."""
    _decide(site_settings.load(site), token, other, reason, on, are_one=True)


@app.command()
def unlink(
    token: Annotated[str, typer.Argument(help="One token of a link.")],
    other: Annotated[str, typer.Argument(help="The other one.")],
    reason: Annotated[str, typer.Option(help="Why they are two persons; no values.")],
    on: Day = None,
    site: Site = None,
) -> None:
    """Say that two tokens are not one person, also where evidence was found."""
    _decide(site_settings.load(site), token, other, reason, on, are_one=False)


@app.command()
def rotate(
    new_key: Annotated[
        Path | None, typer.Option(help="File with the next key; not for a synthetic site.")
    ] = None,
    site: Site = None,
) -> None:
    """Put all identifiers under a new key: rewrites one small table, and destroys the old mint."""
    from jobs.ingest import rotation

    settings = site_settings.load(site)
    lookup = rotation.next_lookup(settings, new_key)
    if not lookup:
        raise UserError("a real site needs the next key.", "Name its file with --new-key.")
    counts = rotation.rotate(settings, lookup)
    console.print(f"{counts['identifiers']:,} identifiers stand under key version {counts['version']}")
    if new_key:
        console.print(f"now name {new_key} in EDULAKE_HMAC_KEY_FILE, and destroy the old key", soft_wrap=True)


def _decide(
    settings: Settings, token: str, other: str, reason: str, on: datetime | None, *, are_one: bool
) -> None:
    from jobs.lake import persons

    day = on.date() if on else _newest(settings)
    persons.decide(settings, token, other, reason, day, are_one=are_one)
    console.print(f"stated on {day}; the next run resolves pupil_key by it")


def _newest(settings: Settings) -> date:
    from jobs.lake import tables

    days = [row["received_date"] for row in tables.rows(settings, "ops__receipt", ["received_date"])]
    if not days:
        raise UserError(f"the lake of {settings.site} holds no delivery yet.", "./edulake run")
    return max(days)
