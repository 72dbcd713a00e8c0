"""`./edulake test`: the linters of `.pre-commit-config.yaml`, then the tests, with seconds and outcome."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from jobs.settings import ROOT

HOOKS = ROOT / ".pre-commit-config.yaml"
MEASURED = ("jobs", "portal", "synthetic")
_BIN = ".venv/bin/"


def run(everything: bool, only: str, console: Console) -> int:
    """Run every check. Returns the exit code: 0 if each one passed, 1 if not.

    `only` chooses tests by a pytest expression. `everything` adds the slow tests; without `only` it also
    fails if the tests reach fewer lines than the floor in pyproject.toml. A missing tool is reported as NOT
    RUN, which is a failure in CI.
    """
    marks = [] if everything else ["-m", "not slow"]
    chosen = ["-k", only] if only else []
    # Measuring costs the tests' own process a fifth more time, which the quick run has not to spare.
    measured = [f"--cov={package}" for package in MEASURED] if everything and not only else []
    tests = [sys.executable, "-m", "pytest", *marks, *chosen, *measured, "--durations=15"]
    return run_steps(linters() | {"tests": tests}, console)


def linters(hooks: Path = HOOKS) -> dict[str, list[str]]:
    """Step → command, of every hook that runs before a commit. Tools come from the running environment."""
    declared = yaml.safe_load(hooks.read_text(encoding="utf-8"))
    commands = {}
    for repository in declared["repos"]:
        for hook in repository["hooks"]:
            tool, *arguments = shlex.split(hook["entry"])
            commands[hook["name"]] = [
                str(Path(sys.executable).with_name(tool.removeprefix(_BIN))),
                *arguments,
            ]
    return commands


def run_steps(steps: Mapping[str, list[str]], console: Console) -> int:
    """Run the commands one after the other, all of them, and print a table of outcomes. Returns 0 or 1."""
    outcomes: dict[str, tuple[str, float]] = {}
    for number, (name, command) in enumerate(steps.items(), start=1):
        console.rule(f"{number}/{len(steps)} {name}")
        begun = time.monotonic()
        outcomes[name] = (_outcome(command), time.monotonic() - begun)
    table = Table("step", "seconds", "outcome")
    for name, (outcome, seconds) in outcomes.items():
        table.add_row(name, f"{seconds:.1f}", outcome)
    console.print(table)
    failures = {"failed"} | ({"NOT RUN"} if os.environ.get("CI") else set())
    failed = [name for name, (outcome, _) in outcomes.items() if outcome in failures]
    console.print(f"[red]failed: {', '.join(failed)}[/]" if failed else "[green]every check passed[/]")
    return 1 if failed else 0


def _outcome(command: list[str]) -> str:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except FileNotFoundError:
        return "NOT RUN"
    return "failed" if code else "passed"
