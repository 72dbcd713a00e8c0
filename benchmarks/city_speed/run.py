"""How long a city takes to write and how much memory, with one process and with two.

    python -m benchmarks.city_speed.run --scale 1 --years 2024-2025

Memory is what the processes hold together: shared pages, which forks have in common, are counted once (PSS).
Seconds depend on the machine and its load; the ratio and the memory do not. Exits 1 above the bounds.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

MOST_GIB = 2.0
MOST_MINUTES = 10.0  # for a school year with both terms and all feeds, on two processors


@dataclass(frozen=True)
class Taken:
    wall: float
    processor: float
    gib: float
    told: str


def write(scale: float, years: str, workers: int, out: Path) -> Taken:
    """Write one city in a process of its own and watch it and its children."""
    command = [sys.executable, "-m", "jobs", "city", "--scale", str(scale), "--years", years]
    command += ["--workers", str(workers), "--out", str(out)]
    begun = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watched = psutil.Process(running.pid)
    peak, processor = 0, 0.0
    while running.poll() is None:
        held, used = 0, 0.0
        for process in (watched, *_children(watched)):
            try:
                held += process.memory_full_info().pss
                times = process.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
            except psutil.Error:
                continue
        peak, processor = max(peak, held), max(processor, used)
        try:
            running.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
    told = running.stdout.read() if running.stdout else ""
    if running.returncode:
        raise RuntimeError(f"the city was not written:\n{told}")
    return Taken(time.monotonic() - begun, processor, peak / 2**30, told.strip().splitlines()[0])


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--years", default="2024-2025")
    parser.add_argument("--workers", default="1,2")
    chosen = parser.parse_args()
    walls: dict[int, float] = {}
    too_much = False
    print(f"{'processes':>9} {'wall s':>8} {'processor s':>11} {'GiB':>6}  rows a processor second")
    for workers in map(int, chosen.workers.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            taken = write(chosen.scale, chosen.years, workers, Path(folder) / "landing")
        rows = int(re.search(r"([\d,]+) rows", taken.told)[1].replace(",", ""))  # type: ignore[index]
        walls[workers] = taken.wall
        rate = rows / taken.processor
        what = taken.told.split(" in ")[0]
        print(f"{workers:9d} {taken.wall:8.1f} {taken.processor:11.1f} {taken.gib:6.2f}  {rate:,.0f}  {what}")
        too_much |= taken.gib > MOST_GIB or taken.wall > MOST_MINUTES * 60
    if len(walls) > 1:
        first, *others = walls
        print(", ".join(f"{n} against {first}: {walls[first] / walls[n]:.2f} times as fast" for n in others))
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
