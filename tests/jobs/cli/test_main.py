"""The command line as a whole: its groups, its start, its errors, and options kept in dataclasses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from jobs.cli.main import PANELS, app, main
from jobs.cli.options import grouped
from jobs.settings import ROOT, Settings

RUN = CliRunner()
PATHS = [[name] for members in PANELS.values() for name in members]


def test_help_lists_the_groups_in_the_order_of_use() -> None:
    shown = RUN.invoke(app, ["--help"]).output
    found = [shown.index(f" {panel} ") for panel in PANELS]
    assert found == sorted(found)
    places = [shown.index(f"│ {name} ") for name in ("run", "land", "feed", "sql", "fitness", "identity")]
    assert places == sorted(places), "a group of commands stands where it is used, not after all others"


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_each_command_has_help(path: list[str]) -> None:
    result = RUN.invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output


# Each takes a tenth of a second or more to load; none of the commands below needs it.
HEAVY = {"airflow", "dbt", "great_expectations", "pandas", "pyspark", "scipy", "sqlglot"}
ENGINES = {"deltalake", "duckdb", "numpy", "pyarrow"}
LOADED = """
import atexit, json, runpy, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
runpy.run_module("jobs", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--help"], {*HEAVY, *ENGINES}),
        (["feed", "--help"], {*HEAVY, *ENGINES}),
        (["safety", "detect", "--help"], {*HEAVY, *ENGINES}),
        (["status"], {*HEAVY, "duckdb", "pyarrow.compute", "pyarrow.dataset"}),
        (["sql", "select 1"], {*HEAVY, "deltalake", "pyarrow"}),
        (["feed", "receipts"], {*HEAVY, "pyarrow.dataset"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_short_command_loads_no_more_than_it_needs(
    words: list[str], unneeded: set[str], lake: Settings
) -> None:
    home = {"EDULAKE_HOME": str(lake.home.parent), "EDULAKE_SITE": lake.site, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, env=home, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stderr.splitlines()[-1])) & unneeded == set()


def test_a_user_error_is_shown_with_its_way_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["edulake", "status", "--site", "atlantis"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "there is no site 'atlantis'" in told
    assert "What to do" in told
    assert "Traceback" not in told


@dataclass(frozen=True, kw_only=True)
class _Size:
    width: Annotated[int, typer.Option(min=1)]
    height: Annotated[int, typer.Option()] = 2


def test_the_fields_of_a_dataclass_become_options(tmp_path: Path) -> None:
    small = typer.Typer()

    @small.command()
    @grouped
    def area(size: _Size, name: Annotated[str, typer.Option()] = "room") -> None:
        typer.echo(f"{name} {size.width * size.height}")

    assert RUN.invoke(small, ["--width", "3"]).output == "room 6\n"
    assert RUN.invoke(small, ["--width", "3", "--height", "5", "--name", "hall"]).output == "hall 15\n"
    assert RUN.invoke(small, []).exit_code == 2, "a field without a default is required"
    assert RUN.invoke(small, ["--width", "0"]).exit_code == 2


@pytest.mark.parametrize("path", [["feed", "report"], ["feed", "template"], ["city"]], ids=" ".join)
def test_help_keeps_placeholders(path: list[str]) -> None:
    """Help is Markdown: a placeholder outside a code span is taken for a tag and vanishes."""
    shown = RUN.invoke(app, [*path, "--help"]).output
    assert "<" in re.sub(r"<(int|float|str|path|bool)( range)?>", "", shown)
