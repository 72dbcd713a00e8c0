"""Build all models, then run all tests, in one process and over one parse; called by `jobs.publish.marts`.

Not `dbt build`: it skips what stands behind a failed test, and then there is less to look at. Leaves
`run_results.models.json` and `run_results.tests.json` in the target folder. Exit code 1: a model could not be
built; 2: dbt itself could not go on.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import psutil
from dbt.cli.main import dbtRunner

# The catalog of types is left empty: nothing is built, and the models' YAML has them.
_BUILDS_NOTHING = {
    "compile": [("models", ["compile", "--select", "resource_type:model"])],
    "docs": [("models", ["docs", "generate", "--static", "--empty-catalog"])],
}


def main(target: Path, kind: str, options: list[str]) -> int:
    """kind: `with_unit_tests`, `without_unit_tests`, `without_tests`, or `compile` or `docs`, which build
    nothing; `options` may end in a selection.
    """
    # The marts of a city of scale 1 failed with 2 GB; with 6 the whole build takes 6.5.
    megabytes = min(6000, max(2000, psutil.virtual_memory().available // 2_000_000))
    os.environ["EDULAKE_BUILD_MEMORY"] = f"{megabytes}MB"
    at = options.index("--select") if "--select" in options else len(options)
    common, selected = [*options[:at], "--target-path", str(target)], options[at:]
    parsed = dbtRunner().invoke(["parse", *common])
    if parsed.exception or not parsed.success:
        return 2
    runner = dbtRunner(manifest=parsed.result)
    data_only = [] if kind == "with_unit_tests" else ["--exclude-resource-type", "unit_test"]
    steps = [("models", ["run", *selected]), ("tests", ["test", *data_only])]
    steps = _BUILDS_NOTHING.get(kind, steps[:1] if kind == "without_tests" else steps)
    for step, command in steps:
        done = runner.invoke([*command, *common])
        if done.exception:
            return 2
        if kind != "docs":
            shutil.move(target / "run_results.json", target / f"run_results.{step}.json")
        if step == "models" and not done.success:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
