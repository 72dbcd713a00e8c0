"""`./edulake test`: lint, types, tests, in that order; each tool that is missing is said, and fails in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from jobs.settings import ROOT


def run(everything: bool, only: str, console: Console) -> int:
    """Run every check and return the exit code: 0 when all held."""
    python = Path(sys.executable)
    marks = [] if everything else ["-m", "not slow"]
    chosen = ["-k", only] if only else []
    steps = {
        "lint": [str(python.with_name("ruff")), "check", "."],
        "format": [str(python.with_name("ruff")), "format", "--check", "."],
        "types": [str(python), "-m", "mypy"],
        "tests": [str(python), "-m", "pytest", *marks, *chosen, "--durations=15"],
    }
    failed = []
    for name, command in steps.items():
        console.rule(name)
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(name)
    console.print(f"[red]failed: {', '.join(failed)}[/]" if failed else "[green]every check held[/]")
    return 1 if failed else 0
