"""The reference pages are what the code says, and leave nothing out."""

from __future__ import annotations

import re

import typer
from typer.core import TyperGroup

from jobs.cli import reference
from jobs.cli.main import app
from jobs.settings import ROOT

ROOT_COMMAND = typer.main.get_command(app)
assert isinstance(ROOT_COMMAND, TyperGroup)


def test_pages_are_what_the_code_says() -> None:
    made = reference.pages(ROOT_COMMAND)
    assert len(made) == 5
    stale = [p.name for p, text in made.items() if not p.is_file() or p.read_text("utf-8") != text]
    assert stale == [], "run `./edulake dictionary`"


def test_every_module_stands_in_the_table() -> None:
    page = reference.pages(ROOT_COMMAND)[reference.FOLDER / "modules.md"]
    packages = {"jobs": 60, "portal": 3, "synthetic": 30, "dags": 4}
    for package, least in packages.items():
        files = [f for f in (ROOT / package).rglob("*.py") if not f.stem.startswith("__")]
        assert len(files) >= least, package
        absent = [f for f in files if f"(../../{f.relative_to(ROOT).as_posix()})" not in page]
        assert absent == [], "a room is missing in reference.ROOMS, or a module has no docstring"


def test_every_environment_variable_is_explained() -> None:
    sources = [*(ROOT / "jobs").rglob("*.py"), *(ROOT / "infra").rglob("*.py"), ROOT / "edulake"]
    texts = [file.read_text("utf-8") for file in sources if file.name != "reference.py"]
    read = {name for text in texts for name in re.findall(r"EDULAKE_[A-Z_]*[A-Z]", text)}
    # Written by our own code for dbt's process.
    inner = {"EDULAKE_BUILD_FILE", "EDULAKE_PINS_FILE"}
    assert read - inner == set(reference.ENVIRONMENT)


def test_every_command_is_shown() -> None:
    page = reference.pages(ROOT_COMMAND)[reference.FOLDER / "commands.md"]
    for command in (
        "run",
        "asof",
        "feed report",
        "places scenario",
        "safety plan",
        "identity rotate",
        "city",
    ):
        assert f"### `./edulake {command}`" in page
