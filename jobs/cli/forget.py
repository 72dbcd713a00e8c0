"""`./edulake forget` and `correct`: take one pupil out of a site, whole, or set right who he or she is."""

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


def correct(
    number: Annotated[str, typer.Argument(help="The pupil number as it stands in the files.")],
    new_number: Annotated[str, typer.Option("--number", help="The right pupil number.")] = "",
    name: Annotated[str, typer.Option(help="The right name.")] = "",
    birth_date: Annotated[str, typer.Option(help="The right birth date, YYYY-MM-DD.")] = "",
    sex: Annotated[str, typer.Option(help="The right sex: 1 or 2, 男 or 女.")] = "",
    named: Annotated[
        list[str] | None, typer.Option(help="Only lines with this name; may be given several times.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="List the lines, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: Site = None,
) -> None:
    """Set right a pupil's number, name, birth date or sex in all files; the next run takes them in again.

    更正学生的学籍号、姓名、出生日期或性别, 涉及的文件由下一次运行重新接收。
    """
    from jobs.forget import correct as act

    settings = site_settings.load(site)
    right = {act.NUMBER: new_number, act.NAME: name, act.BIRTH: birth_date, act.SEX: sex}
    asked = act.asked(number, right, named or [])
    found = act.affected(settings, asked)
    console.table(("file", "lines"), [(f"{f.delivery_id}/{f.name}", len(rows)) for f, rows in found.items()])
    if dry_run:
        return
    if not yes and not typer.confirm("These files are written again. Go on?"):
        raise UserError("nothing was changed.", "Call the command again.")
    left = act.correct(settings, asked)
    for path in left:
        console.say(("Note", "yellow"), f" the old number stands in {path.relative_to(settings.home)}")
    console.say(
        "corrected in landing; what was made from these files is gone. Now: " + settings.command("run")
    )
