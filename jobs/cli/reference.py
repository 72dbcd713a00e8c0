"""The reference pages, written from the code: modules, commands, settings, marts, codes.

`./edulake dictionary` writes `docs/reference/`, together with the data dictionary; a test compares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from jobs import declare
from jobs.cli import marts_page
from jobs.settings import ROOT, SET_BY_US, VARIABLES
from jobs.site import CODE_LISTS, Door, Places, Portal, RealInput, Site, Sql

FOLDER = ROOT / "docs" / "reference"
_HEAD = "<!-- Written by `./edulake dictionary`; a test compares. -->\n"

# Folder -> what a newcomer looks for there, in the order in which a row meets them.
ROOMS = {
    "jobs": "ground: what every room stands on",
    "jobs/declare": "what is expected of data, loaded from `expectations/`",
    "jobs/reading": "files as sent → numbered lines of cells",
    "jobs/judging": "cells → typed values, with a verdict on each line",
    "jobs/ingest": "a feed from landing to clean, batch by batch",
    "jobs/lake": "tables, history, persons, deliveries, runs",
    "jobs/spark": "the engine: one Spark Connect server",
    "jobs/decide": "what the four decision services share",
    "jobs/decide/fitness": "decision service: fitness 体质健康",
    "jobs/decide/places": "decision service: places 学位",
    "jobs/decide/safety": "decision service: safety 校园安全",
    "jobs/decide/evaluation": "decision service: evaluation 教育评估监测",
    "jobs/publish": "marts, audit, release",
    "jobs/replies": "what a sender gets back",
    "jobs/run": "a run: its tasks, the command, its summary",
    "jobs/run/airflow": "Airflow's processes for one site",
    "jobs/cli": "the command line",
    "dags": "Airflow wiring",
    "portal": "the one-stop portal and its API",
    "synthetic": "simulated data that no site needs",
    "synthetic/city": "the synthetic city",
}


def pages(root: TyperGroup) -> dict[Path, str]:
    """Path -> text of every page made from the code; `root` is the whole command line."""
    return {
        FOLDER / "modules.md": _modules(),
        FOLDER / "commands.md": _commands(root),
        FOLDER / "settings.md": _settings(),
        FOLDER / "marts.md": marts_page.page(_HEAD),
        FOLDER / "codes.md": _codes(),
    }


def write(root: TyperGroup) -> int:
    """Write all pages. Returns how many there are."""
    made = pages(root)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return len(made)


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(headings)} |", f"|{' --- |' * len(headings)}"]
    return [*lines, *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)]


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _modules() -> str:
    lines = [_HEAD, "# Modules 模块表\n", "Each promise is the first line of the module's docstring.\n"]
    for room, purpose in ROOMS.items():
        found = [
            [f"[`{_name(file, room)}`](../../{file.relative_to(ROOT).as_posix()})", promise]
            for file in sorted((ROOT / room).rglob("*.py"))
            if _room(file) == room and (promise := _promise(file))
        ]
        lines += [f"## `{room}/` {purpose}\n", *_table(["module", "promise"], found), ""]
    return "\n".join(lines)


def _room(file: Path) -> str:
    """The room that a module lies in: the nearest folder above it that is one."""
    folders = (folder.relative_to(ROOT).as_posix() for folder in file.parents if ROOT in folder.parents)
    return next(folder for folder in folders if folder in ROOMS)


def _name(file: Path, room: str) -> str:
    return file.relative_to(ROOT / room).with_suffix("").as_posix()


def _promise(file: Path) -> str:
    """The first sentence of a module's docstring, which may run over several lines."""
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return text.split("\n\n")[0].strip()


def _commands(root: TyperGroup) -> str:
    lines = [_HEAD, "# Commands 命令参考\n", "`./edulake <command> --help` prints the same.\n"]
    panel = None
    for member in root.list_commands(typer.Context(root)):
        command: Any = root.commands[member]
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            lines.append(f"## {panel}\n")
        for name, leaf in _leaves(command, f"./edulake {member}"):
            lines += _command(name, leaf)
    return "\n".join(lines)


def _command(name: str, command: TyperCommand | TyperGroup) -> list[str]:
    """One command: how it is called, what it does, its arguments and options."""
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption) and p.name != "help"]
    usage = " ".join([name, *(_argument(a) for a in arguments), *(["[options]"] if options else [])])
    lines = [f"### `{name}`\n", f"```\n{usage}\n```\n", *_paragraphs(command.help or "")]
    rows = [[f"`{_argument(a)}`", getattr(a, "help", None) or "", ""] for a in arguments]
    rows += [[_option(o), o.help or "", _default(o)] for o in options]
    return [*lines, *_table(["", "meaning", "default"], rows), ""] if rows else lines


def _leaves(command: Any, name: str) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Every command that does something, with the words that call it."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    if command.invoke_without_command and command.params:
        yield name, command
    for word, below in command.commands.items():
        if not below.hidden:
            yield from _leaves(below, f"{name} {word}")


def _argument(argument: TyperArgument) -> str:
    name = (argument.metavar or argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> str:
    flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
    return f"{flags} (required)" if option.required else flags


def _default(option: TyperOption) -> str:
    """The default as typed; nothing where there is none."""
    value: Any = option.default
    if value is None or value is False or callable(value) or not isinstance(value, str | int | float):
        return ""
    return "on" if value is True else f"`{value}`"


def _paragraphs(text: str) -> list[str]:
    """Help as paragraphs: lines of one are joined, as a terminal does."""
    parts = [re.sub(r"\s+", " ", part).strip() for part in text.replace("\b", "").split("\n\n")]
    return [f"{part}\n" for part in parts if part]


def _settings() -> str:
    lines = [_HEAD, "# Settings 设置\n"]
    lines += ["## A site's file, `infra/sites/<site>.yaml`\n"]
    lines += ["An unknown setting is refused. Files are named relative to the folder of the site's file.\n"]
    parts: dict[str, type[BaseModel]] = {
        "": Site,
        "Under `places`": Places,
        "Under `sql`": Sql,
        "Under `portal`": Portal,
        "Under `door`": Door,
        "Each entry of `real_input`": RealInput,
    }
    for title, part in parts.items():
        lines += [f"### {title}\n"] if title else []
        rows = [[f"`{name}`", *_setting(field)] for name, field in part.model_fields.items()]
        lines += [*_table(["key", "meaning", "default"], rows), ""]
    lines += ["## Environment variables\n"]
    shown = {name: meaning for name, meaning in VARIABLES.items() if name not in SET_BY_US}
    lines += _table(["variable", "meaning"], [[f"`{name}`", meaning] for name, meaning in shown.items()])
    return "\n".join([*lines, ""])


def _setting(field: FieldInfo) -> tuple[str, str]:
    """What a setting means, and its value where it is left out."""
    if field.is_required():
        return f"{field.description}", "required"
    value = field.default
    if value in (None, ()) or isinstance(value, BaseModel):
        return f"{field.description}", "none"
    return f"{field.description}", f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _setting_of(code_list: str) -> str:
    """The setting by which a site brings a code list."""
    return next(setting for setting, name in CODE_LISTS.items() if name == code_list)


def _codes() -> str:
    used: dict[str, list[str]] = {}
    for contract in declare.load().values():
        for column in contract.columns:
            if column.codes and column.name not in used.setdefault(column.codes, []):
                used[column.codes].append(column.name)
    lines = [_HEAD, "# Codes 代码表\n"]
    lines += ["Spellings that senders also use are in the files. Sources: "]
    lines[-1] += "[SOURCES.md](../../expectations/codes/SOURCES.md).\n"
    for file in sorted((declare.EXPECTATIONS / "codes").glob("*.csv")):
        columns = ", ".join(f"`{c}`" for c in sorted(used.get(file.stem, ()))) or "—"
        lines += [f"## [{file.stem}](../../expectations/codes/{file.name})\n", f"使用 used by: {columns}\n"]
        if file.stem in CODE_LISTS.values():
            lines += [
                "各站点自备 each site brings its own: "
                + ", ".join(
                    f"[{own.parent.name}](../../{own.relative_to(ROOT).as_posix()})"
                    for own in sorted((ROOT / "infra" / "sites").glob(f"*/{_setting_of(file.stem)}.csv"))
                )
                + "\n"
            ]
            continue
        rows = declare.code_list(file.stem).rows
        cells = [[f"`{r['code']}`", r.get("meaning_zh", ""), r.get("meaning_en", "")] for r in rows]
        lines += [*_table(["code", "含义", "meaning"], cells), ""]
    return "\n".join(lines)
