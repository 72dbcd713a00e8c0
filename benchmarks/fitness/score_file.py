"""Score a long CSV file by the command itself and print rows a second and the peak of its memory.

    python -m benchmarks.fitness.score_file --rows 10000000

The file is made first: rows spread over all thresholds, as in `benchmarks.fitness.score`, with 1 % blanks.
What the command holds does not grow with the file; tests/jobs/cli/test_fitness.py counts the rows.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.csv as pacsv

from benchmarks.fitness.score import pupils
from jobs.decide.fitness.score import MEASURE_COLUMNS

# Rows of the file made at a time.
_BLOCK = 250_000


def write(path: Path, rows: int, seed: int) -> None:
    """A file of results as a school's system exports them."""
    with path.open("wb") as out:
        for start in range(0, rows, _BLOCK):
            block = pupils(min(_BLOCK, rows - start), seed + start)
            kept = ["pupil_key", "fitness_grade_code", "sex_code", "test_date"]
            kept += [name for name in MEASURE_COLUMNS if name in block.column_names]
            own = block.select(kept).rename_columns({"fitness_grade_code": "grade_code"})
            pacsv.write_csv(own, out, pacsv.WriteOptions(include_header=start == 0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the files lie while it runs (default: temporary)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        source, target = Path(folder) / "results.csv", Path(folder) / "scores.csv"
        write(source, given.rows, given.seed)
        print(f"{given.rows:,} rows, {source.stat().st_size / 1e6:,.0f} MB")
        command = [sys.executable, "-m", "jobs", "fitness", "score"]
        begun = time.monotonic()
        subprocess.run([*command, "--input", str(source), "--output", str(target)], check=True)
        taken = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{taken:,.1f} s ({used.ru_utime + used.ru_stime:,.1f} s of processors), "
        f"{given.rows / taken:,.0f} rows a second, peak {used.ru_maxrss / 1024:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
