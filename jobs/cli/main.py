"""The command line: groups of commands in the order of use, and errors shown without a traceback.

Heavy imports stay inside the commands, so that `--help` and `status` answer at once.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from jobs import settings as site_settings
from jobs.cli import (
    access,
    ask,
    audit,
    calendar,
    check_file,
    damage,
    delivery,
    develop,
    evaluation,
    feed,
    fitness,
    forget,
    identity,
    lake,
    lineage,
    notebook,
    places,
    publishing,
    release,
    safety,
    sql,
    webhook,
)
from jobs.screen import remarks
from jobs.settings import UserError

# A package that writes a site's input brings its own commands: `edulake city` of `synthetic.city`.
_INPUTS = {
    package.rpartition(".")[2]: importlib.import_module(f"{package}.commands").app
    for package in site_settings.input_packages()
}
PANELS: dict[str, dict[str, Any]] = {
    "每日 Every day": {"run": lake.run, "status": lake.status, "serve": ask.serve},
    "报送 Files from senders": {
        "check": check_file.check,
        "land": lake.land,
        "delivery": delivery.app,
        "feed": feed.app,
        "calendar": calendar.app,
    },
    "查询 Questions": {
        "sql": sql.sql,
        "asof": ask.asof,
        "notebook": notebook.notebook,
        "lineage": lineage.lineage,
    },
    "服务 Services": {
        "fitness": fitness.app,
        "places": places.app,
        "safety": safety.app,
        "evaluation": evaluation.app,
    },
    "运维 Looking after a site": {
        "doctor": lake.doctor,
        "lake": damage.app,
        "airflow": lake.airflow,
        "release": release.app,
        "publish": publishing.app,
        "identity": identity.app,
        "access": access.app,
        "webhook": webhook.app,
        "audit": audit.app,
        "forget": forget.forget,
        "correct": forget.correct,
        "clean": lake.clean,
    },
    "开发 Development": {
        "test": develop.run_tests,
        "dictionary": develop.dictionary,
        "docs": develop.docs,
        **_INPUTS,
    },
}


class _InOrderOfUse(TyperGroup):
    """Lists commands as `PANELS` does; Typer would put single commands before groups."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for panel in PANELS.values() for name in panel]


app = typer.Typer(
    name="edulake",
    cls=_InOrderOfUse,
    help="市级教育数据平台 A city's education data, from the files of senders to a published portal.\n\n"
    "Start with `./edulake run`, then `./edulake serve`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, members in PANELS.items():
    for name, member in members.items():
        if isinstance(member, typer.Typer):
            app.add_typer(member, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(member)


def main() -> None:
    """Run the command line. A UserError is printed with its way out, and ends with code 1."""
    # When asked to end, a command stops what it started, as it does when interrupted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for unknown in site_settings.unknown_variables():
        remarks.say(("Note", "yellow"), f" {unknown}")
    try:
        app(prog_name="edulake")
    except Exception as error:
        known = told(error)
        if known is None:
            raise
        remarks.say(("Error", "bold red"), f" {known.message}")
        remarks.say(("What to do", "bold"), f" {known.way_out}")
        sys.exit(1)
    except KeyboardInterrupt:
        remarks.say("Interrupted. Nothing is lost: run the same command again.")
        sys.exit(130)


def told(error: Exception) -> UserError | None:
    """What a person is told of an error; None for a mistake of ours, whose traceback is wanted."""
    if isinstance(error, OSError) and error.errno in site_settings.LOCKED:
        return UserError(f"{error.filename}: {error.strerror}.", site_settings.way_out(error))
    if isinstance(error, UserError):
        return error
    from jobs import faults

    return faults.damaged(error)
