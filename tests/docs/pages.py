"""What the tests of documents share: the pages, their blocks of commands, the commands that exist."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from jobs.cli.main import app
from jobs.settings import ROOT

FOLDERS = ("benchmarks", "dbt", "docs", "expectations", "infra", "portal", "synthetic", ".github")
_BLOCK = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def markdown() -> list[Path]:
    """Every page of the checkout."""
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*.md") if "node_modules" not in p.parts]
    return sorted([*ROOT.glob("*.md"), *found])


def blocks(page: Path, language: str = "sh") -> list[str]:
    """The texts of a page's blocks of one language that have nothing behind the language."""
    return [t for kind, told, t in _BLOCK.findall(page.read_text("utf-8")) if kind == language and not told]


def commands(page: Path) -> list[list[str]]:
    """Every `./edulake` line of a page's shell blocks as words, without its comment, in order."""
    lines = [line for text in blocks(page) for line in text.splitlines() if line.startswith("./edulake ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@cache
def command_tree() -> dict[str, set[str]]:
    """Command -> its subcommands; none for one that stands alone."""
    root: Any = typer.main.get_command(app)
    return {
        name: set(c.commands) if isinstance(c, TyperGroup) else set() for name, c in root.commands.items()
    }
