"""`./edulake test`: the linters of `.pre-commit-config.yaml`, then the tests, with seconds and outcome."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from jobs.files import parse_yaml
from jobs.screen import Screen
from jobs.settings import ROOT

HOOKS = ROOT / ".pre-commit-config.yaml"
MEASURED = ("jobs", "portal", "synthetic")
# They take a minute of one core, which the tests leave idle for longer than that.
SLOW_LINTERS = ("types", "SQL")
# A file's tests share a process. Each process has its own Spark: 3 GiB.
PROCESSES = 2
_BIN = ".venv/bin/"


class Outcome(NamedTuple):
    """How a command ended: `passed`, `failed` or `NOT RUN`; its seconds, and its output if that was kept."""

    word: str
    seconds: float
    output: str = ""


def run(everything: bool, only: str, console: Screen) -> int:
    """Run every check. Returns the exit code: 0 if each one passed, 1 if not.

    `only` chooses tests by a pytest expression. `everything` adds the slow tests; without `only` it also
    fails if the tests reach fewer lines than the floor in pyproject.toml. A missing tool is reported as NOT
    RUN, which is a failure in CI.
    """
    marks = [] if everything else ["-m", "not slow"]
    chosen = ["-k", only] if only else []
    # Measuring costs the tests' own process a fifth more time, which the quick run has not to spare.
    measured = [f"--cov={package}" for package in MEASURED] if everything and not only else []
    # A few chosen tests end sooner than a second process is ready.
    shared = [] if only else ["-n", str(PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
    tests = [sys.executable, "-m", "pytest", *shared, *marks, *chosen, *measured, "--durations=15"]
    return run_steps(linters() | {"tests": tests}, console, beside=SLOW_LINTERS)


def run_chaos(seed: int | None, console: Screen) -> int:
    """Kill sixty whole runs, or the one of a seed, and run each again (tests/test_chaos.py).

    Returns the exit code: 0 where tables and release equalled those of an undisturbed run each time.
    """
    chosen = "all" if seed is None else str(seed)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "tests/test_chaos.py",
        "-k",
        "plain_run",
        "-q",
        "--chaos",
        chosen,
    ]
    return run_steps({"kills": tests}, console)


def linters(hooks: Path = HOOKS) -> dict[str, list[str]]:
    """Step → command, of every hook that runs before a commit. Tools come from the running environment."""
    declared = parse_yaml(hooks.read_text(encoding="utf-8"))
    commands = {}
    for repository in declared["repos"]:
        for hook in repository["hooks"]:
            tool, *arguments = shlex.split(hook["entry"])
            commands[hook["name"]] = [
                str(Path(sys.executable).with_name(tool.removeprefix(_BIN))),
                *arguments,
            ]
    return commands


def run_steps(steps: Mapping[str, list[str]], console: Screen, beside: Sequence[str] = ()) -> int:
    """Run all commands and print a table of outcomes. Returns 0, or 1 if one failed.

    They run one after the other, those named in `beside` in the background; a background command's output is
    printed at the end.
    """
    outcomes: dict[str, Outcome] = {}
    shown = {name: command for name, command in steps.items() if name not in beside}
    with ThreadPoolExecutor(max_workers=1) as background:
        started = {name: background.submit(_run, steps[name], is_shown=False) for name in beside}
        for number, (name, command) in enumerate(shown.items(), start=1):
            console.rule(f"{number}/{len(steps)} {name}")
            outcomes[name] = _run(command)
        for number, (name, running) in enumerate(started.items(), start=len(shown) + 1):
            console.rule(f"{number}/{len(steps)} {name}")
            outcomes[name] = running.result()
            console.say(outcomes[name].output)
    rows = [(name, f"{outcome.seconds:.1f}", outcome.word) for name, outcome in outcomes.items()]
    console.table(("step", "seconds", "outcome"), rows)
    failures = {"failed"} | ({"NOT RUN"} if os.environ.get("CI") else set())
    failed = [name for name, outcome in outcomes.items() if outcome.word in failures]
    console.say((f"failed: {', '.join(failed)}", "red") if failed else ("every check passed", "green"))
    return 1 if failed else 0


def _run(command: list[str], *, is_shown: bool = True) -> Outcome:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    begun = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=None if is_shown else subprocess.PIPE,
            stderr=None if is_shown else subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return Outcome("NOT RUN", 0.0)
    word = "failed" if done.returncode else "passed"
    return Outcome(word, time.monotonic() - begun, (done.stdout or "").strip())
