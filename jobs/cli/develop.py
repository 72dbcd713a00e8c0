"""Commands for those who change the code or look up what it means: `test`, `dictionary`, `docs`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console
from jobs.settings import UserError


def run_tests(
    everything: Annotated[
        bool, typer.Option("--all", help="Also run the slow tests: browser pages, scheduler, kills.")
    ] = False,
    only: Annotated[str, typer.Option("--only", help="A pytest expression that chooses tests by name.")] = "",
    chaos: Annotated[
        bool,
        typer.Option("--chaos", help="Instead: kill sixty runs, each at another moment; an hour or more."),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="With --chaos: the one kill of this seed.")] = None,
) -> None:
    """Run linters, type checks and tests, as CI does."""
    from jobs.cli import check

    if chaos:
        raise typer.Exit(check.run_chaos(seed, console))
    raise typer.Exit(check.run(everything, only, console))


def dictionary(context: typer.Context) -> None:
    """Write docs/reference: the data dictionary, modules, commands, settings, marts, codes, openapi.json."""
    from jobs import settings
    from jobs.cli import reference
    from jobs.declare import dictionary as pages
    from portal import openapi
    from portal.app import create_app

    root = context.find_root().command
    assert isinstance(root, TyperGroup)
    openapi.FILE.write_text(openapi.text(create_app(settings.load())), encoding="utf-8")
    console.say(f"{pages.write() + reference.write(root) + 1} pages in {reference.FOLDER}")


def docs(
    site: Site = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to. Default: `docs` in the site's folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
) -> None:
    """Build the searchable dictionary of all layers, with row counts of the release, and dbt's documentation.

    生成可搜索的数据字典（含当前发布版本的行数）和 dbt 文档，均为可离线打开的网页。

    Example: `./edulake docs --open`
    """
    from jobs.publish import reference_site

    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file.", "Give --output the name of a folder.")
    settings = site_settings.load(site)
    made = reference_site.build(settings, output or settings.home / "docs")
    for path in made:
        console.say(str(path))
    if show:
        webbrowser.open(made[0].resolve().as_uri())
