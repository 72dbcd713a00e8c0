"""Time of `./edulake evaluation balance` and `takes`, whole commands, on drawn schools.

    python -m benchmarks.evaluation.balance --schools 4000 --largest 450 --spread 0.3 --seed 1

Beside wall time, which a busy machine makes long, stands the processor time of the command. `--spread` is the
deviation of the logarithm of what schools have per pupil: from 0.5 on, coefficients are beyond their limits.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jobs.settings import ROOT

PER_PUPIL = {
    "qualified_teachers": 0.055,
    "backbone_teachers": 0.012,
    "pe_arts_teachers": 0.011,
    "teaching_area_m2": 5.5,
    "sports_area_m2": 8.5,
    "equipment_value_yuan": 2600.0,
    "multimedia_classrooms": 0.028,
}


def drawn(path: Path, schools: int, districts: int, spread: float, seed: int) -> None:
    """Write a file of schools, two thirds of them primary."""
    chance = random.Random(seed)
    lines = [",".join(["district", "school", "stage", "pupils", *PER_PUPIL])]
    for at in range(schools):
        pupils = int(chance.lognormvariate(6.6, 0.7)) + 1
        has = [int(mean * pupils * chance.lognormvariate(0, spread)) for mean in PER_PUPIL.values()]
        stage = "primary" if at % 3 else "junior"
        lines.append(",".join(map(str, [at % districts, f"s{at:05}", stage, pupils, *has])))
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def timed(*words: str) -> tuple[float, float]:
    """Seconds of wall and of processor of one command. Raises CalledProcessError where it fails."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-P", "-m", "jobs", "evaluation", *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, cpu


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--schools", type=int, default=4000)
    options.add_argument("--largest", type=int, default=450)
    options.add_argument("--spread", type=float, default=0.3)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "schools.csv", Path(folder) / "out.csv"
        for name, count, districts in (("balance", given.schools, 16), ("takes", given.largest, 1)):
            drawn(file, count, districts, given.spread, given.seed)
            wall, cpu = timed(name, "--input", str(file), "--output", str(out))
            print(f"{name:8} {count:>6,} schools  {wall:6.2f} s  {cpu:6.2f} s of processor")


if __name__ == "__main__":
    main()
