"""The reference pages are what the code says, and leave nothing out."""

from __future__ import annotations

import re

import typer
import yaml
from typer.core import TyperGroup

from jobs import declare
from jobs.cli import reference
from jobs.cli.main import app
from jobs.settings import ROOT, SET_BY_US, VARIABLES
from jobs.site import Places, RealInput, Site

from . import pages

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


def test_every_setting_and_variable_is_explained() -> None:
    page = reference.pages(ROOT_COMMAND)[reference.FOLDER / "settings.md"]
    settings = {name for part in (Site, Places, RealInput) for name in part.model_fields}
    assert len(settings) > 20
    assert [name for name in settings | (VARIABLES.keys() - SET_BY_US) if f"| `{name}` |" not in page] == []


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


def test_the_columns_of_every_clean_table_are_explained() -> None:
    page = (reference.FOLDER / "lake.md").read_text("utf-8")
    row = r"^\| `(\w+)` \| (?:date|int|timestamp|boolean|string|array|bigint)\b"
    told = re.findall(row, page, re.MULTILINE)
    assert told == list(declare.STATEMENT_COLUMNS)


def test_the_rule_of_the_guide_is_one_that_a_contract_has() -> None:
    (block,) = pages.blocks(ROOT / "docs" / "how-to" / "add-a-rule.md", "yaml")
    contract = yaml.safe_load((declare.EXPECTATIONS / "contracts" / "pupil_roll.yaml").read_text("utf-8"))
    (rule,) = yaml.safe_load(block)["rules"]
    assert rule in contract["rules"]
