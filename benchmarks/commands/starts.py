"""CPU that short commands take, beside an empty Python of the same environment, on a small lake.

    EDULAKE_HOME=… python -m benchmarks.commands.starts --turns 7

Turns alternate, so that a busy machine slows all of them. Figures are user and system time of the process;
the ratio to the empty Python depends least on the machine. The lake must hold a release: `./edulake run`.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

from jobs.settings import ROOT

EMPTY = "python -c pass"
COMMANDS = {
    EMPTY: ["-c", "pass"],
    "import typer, rich": ["-c", "import typer, rich.console"],
    "import pandas": ["-c", "import pandas"],
    "--help": ["-m", "jobs", "--help"],
    "status": ["-m", "jobs", "status"],
    "sql 'select 1'": ["-m", "jobs", "sql", "select 1"],
    "feed receipts": ["-m", "jobs", "feed", "receipts"],
    "feed list": ["-m", "jobs", "feed", "list"],
    "safety plan": ["-m", "jobs", "safety", "plan", "--visits", "5"],
}


def cpu(arguments: list[str]) -> float:
    """Seconds of CPU of one call. Raises CalledProcessError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-P", *arguments], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(turns):
        for name, arguments in COMMANDS.items():
            taken[name].append(cpu(arguments))
    empty = statistics.median(taken[EMPTY])
    print(f"{'command':<20} {'median s':>9} {'least s':>8} {'times an empty Python':>22}")
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:<20} {middle:9.3f} {min(seconds):8.3f} {middle / empty:22.0f}")


if __name__ == "__main__":
    main()
