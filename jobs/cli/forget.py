"""`./edulake forget`: take one pupil out of a site, whole, and prove it."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import faults
from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console
from jobs.settings import UserError


def forget(
    number: Annotated[
        str, typer.Argument(help="The pupil number. It is asked for again before anything goes.")
    ],
    dry_run: Annotated[bool, typer.Option(help="List what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: Site = None,
) -> None:
    """Remove one pupil from landing, tables, releases and reports, and search for what is left.

    依规定删除一名学生的全部数据, 并逐字节核验。
    """
    from jobs.forget import act

    settings = site_settings.load(site)
    with faults.told(settings):
        planned = act.plan(settings, number)
    console.table(("from", "lines or rows"), list(act.listed(settings, planned).items()))
    if dry_run:
        return
    if (
        not yes
        and typer.prompt("This cannot be undone. Type the pupil number again").strip() != number.strip()
    ):
        raise UserError("the number is another one: nothing was removed.", "Call the command again.")
    with faults.told(settings):
        proof = act.forget(settings, planned)
    home = settings.home
    if proof.left:
        listed = ", ".join(str(path.relative_to(home)) for path in proof.left[:5])
        raise UserError(
            f"values of the pupil still stand in {len(proof.left)} files: {listed}",
            "Call it again; where another pupil's line holds them, have its sender correct that line first.",
        )
    console.say("searched every file of the site: number, documents and keys stand nowhere")
    for path in proof.namesakes:
        console.say(("Note", "yellow"), f" the name stands in {path.relative_to(home)}, of another person")
