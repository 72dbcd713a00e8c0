"""Build all models, then run all tests, in one process and over one parse; called by `jobs.publish.marts`.

Not `dbt build`: it skips what stands behind a failed test, and then there is less to look at. Leaves
`run_results.models.json` and `run_results.tests.json` in the target folder. Exit code 1: a model could not be
built; 2: dbt itself could not go on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
from dbt.cli.main import dbtRunner, dbtRunnerResult

# The catalog of types is left empty: nothing is built, and the models' YAML has them.
_BUILDS_NOTHING = {
    "compile": [("models", ["compile", "--select", "resource_type:model"])],
    "docs": [("models", ["docs", "generate", "--static", "--empty-catalog"])],
}

# Nobody reads what dbt notes of each step, and noting takes time. What failed stands in its results.
_SILENT = ["--log-level", "none", "--log-level-file", "none", "--no-populate-cache"]


def main(target: Path, kind: str, options: list[str]) -> int:
    """kind: `with_unit_tests`, `without_unit_tests`, `without_tests`, or `compile` or `docs`, which build
    nothing; `options` may end in a selection.
    """
    # The marts of a city of scale 1 failed with 2 GB; with 6 the whole build takes 6.5.
    megabytes = min(6000, max(2000, psutil.virtual_memory().available // 2_000_000))
    os.environ["EDULAKE_BUILD_MEMORY"] = f"{megabytes}MB"
    at = options.index("--select") if "--select" in options else len(options)
    common, selected = [*options[:at], *_SILENT, "--target-path", str(target)], options[at:]
    parsed = dbtRunner().invoke(["parse", *common, "--no-write-json"])
    if parsed.exception or not parsed.success:
        return _gave_up(parsed)
    runner = dbtRunner(manifest=parsed.result)
    data_only = [] if kind == "with_unit_tests" else ["--exclude-resource-type", "unit_test"]
    # Of a selection, the tests that read nothing else.
    tested = [*selected, "--indirect-selection", "buildable"] if selected else []
    steps = [("models", ["run", *selected]), ("tests", ["test", *data_only, *tested])]
    steps = _BUILDS_NOTHING.get(kind, steps[:1] if kind == "without_tests" else steps)
    for step, command in steps:
        # The manifest is long: it is written once, by the last step, which knows the most.
        is_last = step == steps[-1][0]
        done = runner.invoke([*command, *common, *([] if is_last else ["--no-write-json"])])
        if done.exception:
            return _gave_up(done)
        if kind != "docs":
            done.result.write(str(target / f"run_results.{step}.json"))
        if step == "models" and not done.success:
            return 1
    return 0


def _gave_up(done: dbtRunnerResult) -> int:
    print(done.exception or "dbt could not read the project", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
