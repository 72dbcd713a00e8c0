"""The marts of one run: dbt over pinned Delta versions, in a private file that only `release` publishes.

    pins {table: version} -> build-<run_id>.pins.json -> dbt (own process) -> build-<run_id>.duckdb

Both lie in `restricted/builds/`, for a build holds rows of pupils, and dbt's messages may quote them; once
published, the build goes.
dbt runs in a process of its own: inside one the adapter keeps its file open, and nothing else can open it.
`python -m jobs.publish.marts` writes the files of the dbt project that repeat declarations.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import yaml

from jobs import declare
from jobs.lake import identity, tables, window
from jobs.lake.runs import Run
from jobs.publish import metric_files, model_files
from jobs.publish import views as pinning
from jobs.settings import ROOT, Settings

PROJECT = ROOT / "dbt"
# Earlier runs whose builds are kept, to look at what a failed test found.
KEPT_BUILDS = 3

_HEAD = "Written by `python -m jobs.publish.marts` from expectations/; a test compares.\n"


class MartsError(RuntimeError):
    """dbt could not build: which models, and what it said of each, which may quote a cell.

    `shown` names the models alone, for who may not read the restricted zone.
    """

    def __init__(self, shown: str, said: str) -> None:
        super().__init__(f"{shown}:\n{said}")
        self.shown = shown


@dataclass(frozen=True)
class TestResult:
    """One dbt test: what it asserts of which table, and how many rows contradict it."""

    name: str
    table: str
    column: str | None
    is_stop: bool
    status: str
    failures: int | None
    message: str
    sql_file: Path | None
    is_unit_test: bool = False
    # Of a test whose `meta` says that it `tells`: its rows in words (no person's), and what can be done.
    told: tuple[str, ...] = ()
    way_out: str = ""

    @property
    def is_success(self) -> bool:
        return self.status == "pass"

    def explained(self, file: Path) -> str:
        """What was expected, what was found, and how to see the rows."""
        found = f"{self.failures} rows contradict it" if self.failures is not None else self.message
        return f"{self.table}: {self.name} expects no row, {found}. See them: run {self.sql_file} on {file}"

    def details(self) -> list[str]:
        """The same for who runs it: the rows in words, if the test tells them, and the way out."""
        first = f"{self.table}: {self.name}: {self.message}; rows: {self.sql_file}"
        left = (self.failures or 0) - len(self.told)
        more = [f"and {left} more"] if self.told and left > 0 else []
        return [first, *(f"  {line}" for line in (*self.told, *more, self.way_out) if line)]


@dataclass(frozen=True)
class BuildResult:
    """A finished build: its file, rows of each mart, every test."""

    file: Path
    run_id: str
    rows: Mapping[str, int]
    tests: tuple[TestResult, ...]
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[TestResult, ...]:
        """Tests that stop the release."""
        return tuple(test for test in self.tests if test.is_stop and not test.is_success)

    def checks(self) -> list[dict[str, Any]]:
        """The tests as rows of `ops__check`: counts, no values."""
        return [
            {
                "run_id": self.run_id,
                "table_name": test.table,
                "check_name": test.name,
                "column_name": test.column,
                "is_success": test.is_success,
                "is_stop": test.is_stop,
                "examined_count": self.rows.get(test.table),
                "unexpected_count": test.failures,
                "checked_by": "dbt",
            }
            for test in self.tests
        ]


def _builds(settings: Settings) -> Path:
    return settings.restricted / "builds"


def build_file(settings: Settings, run_id: str) -> Path:
    """The private file that a run's marts are built in."""
    return _builds(settings) / f"build-{run_id}.duckdb"


def manifest(settings: Settings, run_id: str) -> Path:
    """dbt's manifest of that build, with the `meta` of every model."""
    return _builds(settings) / f"build-{run_id}.manifest.json"


def build(
    settings: Settings,
    run: Run,
    pins: Mapping[str, int],
    *,
    with_unit_tests: bool = False,
    only: Sequence[str] = (),
) -> BuildResult:
    """Build and test the marts of a run from the pinned versions: all, or those named and what they are made
    of. A repetition builds the same marts again.

    Failed tests do not raise: they are in `failed` and `checks()`, and the caller must not publish then.
    Raises MartsError when a model cannot be built or a table cannot be read as pinned.
    """
    _builds(settings).mkdir(parents=True, exist_ok=True)
    target, file = _builds(settings) / "dbt", build_file(settings, run.run_id)
    _remove_builds(settings, run.run_id)
    kind = "with_unit_tests" if with_unit_tests else "without_unit_tests"
    run_dbt(settings, run.as_of_date, run.known_at, pins, file, target, kind, only)
    shutil.copyfile(target / "manifest.json", manifest(settings, run.run_id))
    return _read(file, run.run_id, _results(target, "models"), _results(target, "tests"), target)


def build_models(
    settings: Settings,
    names: Sequence[str],
    as_of_date: date,
    known_at: datetime,
    pins: Mapping[str, int],
    folder: Path,
) -> Path:
    """Build some models and what they are made of at two dates, without tests, in a file of `folder`. Nothing
    is written elsewhere.

    Raises MartsError when one cannot be built.
    """
    file = folder / "asof.duckdb"
    run_dbt(settings, as_of_date, known_at, pins, file, folder / "dbt", "without_tests", names)
    return file


def run_dbt(
    settings: Settings,
    as_of_date: date,
    known_at: datetime,
    pins: Mapping[str, int],
    file: Path,
    target: Path,
    kind: str,
    only: Sequence[str] = (),
) -> None:
    """Run dbt into `file`, with `build.py` in a process of its own: all models, or those named and what they
    are made of. Raises MartsError where it fails.
    """
    pins_file = file.with_suffix(".pins.json")
    pinned = {t: {"path": str(tables.path(settings, t)), "version": v} for t, v in sorted(pins.items())}
    dates = {"as_of_date": as_of_date.isoformat(), "known_at": known_at.isoformat()}
    asked = dates | {"calendar": settings.calendar, "jurisdictions": settings.jurisdictions, "tables": pinned}
    pins_file.write_text(json.dumps(asked, indent=1, default=str))
    of_site = {
        "site": settings.site,
        "small_cell": settings.small_cell,
        "city_scale": identity.city_scale(settings),
        "holds_persons": settings.holds_persons,
    }
    options = [
        *("--project-dir", str(PROJECT)),
        *("--profiles-dir", str(PROJECT)),
        *("--log-path", str(target)),
        *("--vars", json.dumps(of_site)),
        *(("--select", *(f"+{name}" for name in only)) if only else ()),
    ]
    environment = os.environ | {
        "EDULAKE_SITE": settings.site,
        **{f"EDULAKE_{name.upper()}": day for name, day in dates.items()},
        # Its name alone, in its folder: dbt-duckdb takes a path for an address, which ends at the first `#`.
        "EDULAKE_BUILD_FILE": file.name,
        "EDULAKE_PINS_FILE": str(pins_file),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "DO_NOT_TRACK": "1",
        "TZ": "UTC",
    }
    for earlier in target.glob("run_results.*"):
        earlier.unlink()
    done = subprocess.run(
        [sys.executable, str(PROJECT / "build.py"), str(target), kind, *options],
        cwd=file.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if errors := [r for r in _results(target, "models") if r["status"] == "error"]:
        said = {r["unique_id"].split(".")[-1]: r["message"] for r in errors}
        raise MartsError(
            f"{len(said)} models of {file.stem} could not be built ({', '.join(said)})",
            "\n".join(f"  {name}: {message}" for name, message in said.items()),
        )
    if done.returncode:
        raise MartsError("dbt could not go on", f"{done.stdout}{done.stderr}".rstrip())


def _results(target: Path, step: str) -> list[dict[str, Any]]:
    file = target / f"run_results.{step}.json"
    found: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["results"] if file.is_file() else []
    return found


def _read(
    file: Path, run_id: str, built: list[dict[str, Any]], tested: list[dict[str, Any]], target: Path
) -> BuildResult:
    content = json.loads((target / "manifest.json").read_text("utf-8"))
    nodes = content["nodes"] | content["unit_tests"]
    tests = tuple(_test(result, nodes[result["unique_id"]]) for result in tested)
    metas = {node["name"]: node["config"].get("meta", {}) for node in nodes.values()}
    models = {
        (node := nodes[result["unique_id"]])["name"]: node["config"]["meta"]
        for result in built
        if "scope" in nodes[result["unique_id"]]["config"]["meta"]
    }
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = {
            name: int(connection.execute(f'select count(*) from "{name}"').fetchall()[0][0])
            for name in sorted(models)
        }
        tests = tuple(_with_words(test, metas.get(test.name, {}), connection) for test in tests)
    seconds = {r["unique_id"].split(".", 2)[-1]: round(r["execution_time"], 3) for r in (*built, *tested)}
    return BuildResult(file, run_id, rows, tests, models, seconds)


def _test(result: Mapping[str, Any], node: Mapping[str, Any]) -> TestResult:
    read = node.get("depends_on", {}).get("nodes") or [""]
    attached = node.get("attached_node") or next((n for n in read if n.startswith("model.")), read[0])
    compiled = node.get("compiled_path")
    return TestResult(
        name=node["name"],
        table=node.get("model") or attached.split(".")[-1],
        column=(node.get("test_metadata") or {}).get("kwargs", {}).get("column_name"),
        is_stop=str(node["config"].get("severity", "error")).lower() == "error",
        status=result["status"],
        failures=result["failures"],
        message=result["message"] or "",
        sql_file=ROOT / compiled if compiled else None,
        is_unit_test=node["resource_type"] == "unit_test",
    )


# Rows of a failed test that are told in words.
_TOLD = 12


def _with_words(
    test: TestResult, meta: Mapping[str, Any], connection: duckdb.DuckDBPyConnection
) -> TestResult:
    """The test with its rows in words, if it failed and its `meta` says that its column `told` has them."""
    if test.is_success or not meta.get("tells") or test.sql_file is None or not test.failures:
        return test
    query = f"select told from ({test.sql_file.read_text('utf-8')}) limit {_TOLD}"
    told = tuple(str(line) for (line,) in connection.execute(query).fetchall())
    return replace(test, told=told, way_out=str(meta.get("way_out", "")))


def remove_build(settings: Settings, run_id: str) -> None:
    """Remove what a run built: all is in its release. dbt's manifest stays, for publishing again reads it."""
    build_file(settings, run_id).unlink(missing_ok=True)


def _remove_builds(settings: Settings, run_id: str) -> None:
    """Remove the leftovers of an earlier attempt at this run, and all but the newest builds."""
    notes = sorted(_builds(settings).glob("build-*.pins.json"), key=lambda note: note.stat().st_mtime)
    runs = [note.name.removeprefix("build-").removesuffix(".pins.json") for note in notes]
    earlier = [run for run in runs if run != run_id]
    gone = [_builds(settings).glob(f"build-{old}.*") for old in [run_id, *earlier[:-KEPT_BUILDS]]]
    # Earlier versions kept builds, with their rows of pupils, outside the restricted zone.
    for part in chain(*gone, settings.run.glob("build-*")):
        part.unlink()


def generated() -> dict[Path, str]:
    """The files of the dbt project that repeat declarations of `expectations/`, by path."""
    return {
        PROJECT / "models" / "sources.yml": _sources_yaml(),
        PROJECT / "macros" / metric_files.MACRO: metric_files.macro(),
        **model_files.filled_in(),
    }


def _sources_yaml() -> str:
    entries = {table: {"name": table, "description": _meaning(table)} for table in declare.all_tables()}
    stated = [table for table in entries if not table.startswith("ops__")]
    contracts = {table: declare.statements_of(table) for table in stated}
    snapshots = [table for table, contract in contracts.items() if contract and contract.among_senders]
    # A table whose newest row of a key stands has a past that marts may tell.
    kept = [table for table in stated if not contracts[table] and declare.history_of(table).kind == "last"]
    of_view = {
        "every_statement": ("All that was stated or decided, each beside the others.", [*snapshots, *kept]),
        "newest_by_scope": ("The newest delivery of each scope, the newest statement of each key.", stated),
        "chosen": ("As newest_by_scope, one row of each key among all senders.", snapshots),
        window.WRITTEN: ("Tables as written.", [table for table in entries if table not in stated]),
    }
    sources: list[dict[str, Any]] = [
        {
            "name": view,
            "schema": view,
            "description": f"{meaning} At the dates and versions of the build.",
            "tables": [entries[table] for table in read],
        }
        for view, (meaning, read) in of_view.items()
    ]
    names = [*pinning.standard_queries(), pinning.CALENDAR, pinning.REPORTING]
    sources.append(
        {
            "name": "standards",
            "schema": pinning.STANDARDS_SCHEMA,
            "description": "Code lists and dated targets of expectations/, all columns as text.",
            "tables": [{"name": name} for name in sorted(names)],
        }
    )
    declared = {"version": 2, "sources": sources}
    return "# " + _HEAD + yaml.safe_dump(declared, allow_unicode=True, sort_keys=False, width=110)


def _meaning(table: str) -> str:
    for contract in declare.load().values():
        if contract.table == table:
            return f"{contract.zh} — {contract.grain}"
        if contract.general_table == table:
            return f"{contract.zh}（一般字段） — {contract.grain}, without values of persons"
    made = declare.made_declarations()[table]
    return f"{made['zh']} — {made['en']}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
