"""`./edulake evaluation report` and `profile`: documents of a release about one unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site, grouped
from jobs.cli.screen import print_origin
from jobs.screen import remarks
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.publish.release import Release
    from jobs.reports.model import Report


class Format(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"


@dataclass(frozen=True, kw_only=True)
class Written:
    """Where and as what, and of which release."""

    output: Annotated[
        Path | None, typer.Option(help="Folder to write to, made if need be. Default: `reports` of the site.")
    ] = None
    format: Annotated[
        list[Format] | None, typer.Option("--format", help="Repeat for more than one. Default: all three.")
    ] = None
    release: Annotated[
        str | None, typer.Option(help="Number or name of the release. Default: the current one.")
    ] = None
    site: Site = None


@grouped
def report(
    year: Annotated[
        int,
        typer.Option(
            min=1980,
            max=2100,
            help="Year that the report is about: yearly figures of this calendar year, and the school year"
            " that begins in its autumn (2024: 2024-2025).",
        ),
    ],
    district: Annotated[str, typer.Option(help="Code or name of the district.")],
    written: Written,
) -> None:
    """Write a district's yearly report as web page, PDF and Word file, all from one release.

    生成区年度报告。

    Example: `./edulake evaluation report --year 2024 --district 110108`
    """
    from jobs.reports import district as of_district

    settings = site_settings.load(written.site)
    made = of_district.report(_release(settings, written.release), district, year)
    _write(settings, made, written)


@grouped
def profile(
    written: Written,
    school: Annotated[str | None, typer.Option(help="Code or name of a school.")] = None,
    group: Annotated[str | None, typer.Option(help="Code or name of a school group.")] = None,
    district: Annotated[str | None, typer.Option(help="Code or name of a district.")] = None,
    year: Annotated[
        int | None,
        typer.Option(min=1980, max=2100, help="As for `report`. Default: the newest with figures."),
    ] = None,
) -> None:
    """Write the one-page profile of a school, a school group or a district; its reverse explains the figures.

    生成学校、教育集团或区的一页概况。

    Example: `./edulake evaluation profile --district 110108`
    """
    from jobs.reports import district as of_district
    from jobs.reports import group as of_group
    from jobs.reports import school as of_school

    asked = [
        (make, text)
        for make, text in (
            (of_school.profile, school),
            (of_group.profile, group),
            (of_district.profile, district),
        )
        if text is not None
    ]
    if len(asked) != 1:
        raise UserError("a profile is about one unit.", "Give one of --school, --group and --district.")
    settings = site_settings.load(written.site)
    make, text = asked[0]
    _write(settings, make(_release(settings, written.release), text, year), written)


def _release(settings: Settings, text: str | None) -> Release:
    """The release of a number or name, by default the current one. Raises UserError where there is none."""
    from jobs.publish import kept, release

    found = (
        release.current(settings) if text is None else release.find(settings, kept.numbered(settings, text))
    )
    if found is None:
        raise UserError(
            f"there is no release{'' if text is None else f' {text}'} of {settings.site}.",
            settings.command("release", "list") if release.pointed(settings) else settings.command("run"),
        )
    return found


def _write(settings: Settings, made: Report, written: Written) -> None:
    from jobs.reports import write

    folder = written.output or settings.home / "reports"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file.", "Give --output the name of a folder.")
    formats = list(dict.fromkeys(one.value for one in written.format or Format))
    remarks.say(
        f"{made.title}: {len(made.sections)} sections, {len(made.figures())} figures,"
        f" {len(made.definitions)} definitions"
    )
    for path in write.write(made, folder, formats):
        remarks.say(f"written: {path}")
    rare = write.rare(made) if "pdf" in formats or "docx" in formats else ""
    if rare:
        remarks.say(
            f"rare characters, drawn by a font of this machine if it has one: {rare}. Look at them before"
            " printing; a box means that no font has the character."
        )
    print_origin(settings)
