"""Every module that is also a command answers `--help`, refuses what it does not know, and writes nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import ROOT

ROOMS = ("jobs", "portal", "synthetic", "dags", "infra", "benchmarks")
# What a command of ours may write in a checkout.
WRITTEN = ("benchmarks", "dbt", "docs", "expectations", "infra", "portal")


def is_command(module: Path) -> bool:
    """Whether it does something when it is run, and not only when it is imported."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body)


COMMANDS = [
    str(path.relative_to(ROOT))
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if is_command(path)
]

# All of them in one process, which imports pandas, dbt and Spark once; one that works instead of answering
# ends it, or leaves its traces.
CALL = """
import contextlib, io, json, runpy, sys
for path in sys.argv[1:]:
    for option in ("--help", "--no-such-option"):
        out, err = io.StringIO(), io.StringIO()
        sys.argv, code = [path, option], None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                runpy.run_path(path, run_name="__main__")
            except SystemExit as end:
                code = end.code
            except BaseException as error:
                code = repr(error)
        print(json.dumps([path, option, code, out.getvalue(), err.getvalue()]), flush=True)
"""


def written() -> dict[Path, int]:
    files = (path for room in WRITTEN for path in (ROOT / room).rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], tuple[Any, str, str]]:
    """(module, option) -> exit code, output, errors."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    before = written()
    done = subprocess.run(
        [sys.executable, "-c", CALL, *COMMANDS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert written() == before, "a command rewrote files instead of answering"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(path, option): (code, out, err) for path, option, code, out, err in lines}


def test_the_sweep_finds_them() -> None:
    assert {Path(path).stem for path in COMMANDS} >= {"marts", "dictionary", "guard", "prepare", "power"}


@pytest.mark.parametrize("module", COMMANDS)
def test_help_and_a_slip_of_the_hand_do_nothing(
    module: str, answers: dict[tuple[str, str], tuple[Any, str, str]]
) -> None:
    code, out, _ = answers[module, "--help"]
    assert (code, out[:7]) == (0, "usage: ")
    code, _, err = answers[module, "--no-such-option"]
    assert (code, err[:7]) == (2, "usage: ")
