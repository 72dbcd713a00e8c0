"""Commands for those who change the code: `test`, `dictionary`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from jobs.screen import console


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
    """Write docs/reference: the data dictionary, modules, commands, settings, marts and codes."""
    from jobs.cli import reference
    from jobs.declare import dictionary as pages

    root = context.find_root().command
    assert isinstance(root, TyperGroup)
    console.say(f"{pages.write() + reference.write(root)} pages in {reference.FOLDER}")
