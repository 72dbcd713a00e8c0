"""`./edulake release changes`: what differs between releases, in words."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site, TableOrJson
from jobs.screen import console


def changes(
    release: Annotated[
        str | None,
        typer.Argument(metavar="[RELEASE]", help="Number or name. Default: the draft or current one."),
    ] = None,
    site: Site = None,
    format_: TableOrJson = "table",
) -> None:
    """Tell how the tables of a release differ from those of the one before it, and the version of each.

    列出各数据表的版本号，以及与上一版本相比的变更。
    """
    from jobs.publish import drafts, kept
    from jobs.publish.contract import Change
    from jobs.publish.release import current

    settings = site_settings.load(site)
    if release is None:
        found = drafts.waiting(settings) or current(settings)
    else:
        number = kept.numbered(settings, release)
        found = drafts.find(settings, number) or kept.published(settings, number)
    if found is None:
        console.say(f"no release of {settings.site} yet: {settings.command('run')}")
        return
    changed = [Change(**change) for change in found.manifest.get("changes", [])]
    versions = found.manifest.get("versions", {})
    before = found.manifest.get("compared_with")
    if format_ == "json":
        listed = [
            {**vars(one), "version": versions.get(one.table), "zh": one.words().zh, "en": one.words().en}
            for one in changed
        ]
        told = {"release": found.number, "compared_with": before, "versions": versions, "changes": listed}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    if before is None:
        console.say(f"release {found.number}: 首个版本 the first one; {len(versions)} tables.")
        return
    rows = [
        (one.table, versions.get(one.table, ""), one.level, f"{one.words().zh}\n{one.words().en}")
        for one in changed
    ]
    heads = ("数据表\ntable", "版本\nversion", "级别\nlevel", "变更\nchange")
    console.table(heads, rows, title=f"{before} → {found.number}", breakable=(heads[3],))
