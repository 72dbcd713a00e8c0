"""Time and memory of the marts over a lake many times as large as a finished one.

    python -m benchmarks.marts.many_fold FINISHED_HOME NEW_HOME --fold 50 [--site beijing]

Copies the lake of a finished run and multiplies in every table the rows of schools, pupils, staff and cases:
copy k of a school bears its code with `x<k>` behind it, in every table alike, so that all joins hold. Rows of
districts and of the city stay as they are. The demonstration city (scale 0.02) fifty-fold has the rows of a
city of scale 1. Then the marts are built and tested as in a run. Prints seconds, the most memory that the
build's processes held together, the largest tables, the slowest models. Tests of formats may fail over such
codes: it is time that is measured here.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import threading
import time
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from jobs import settings as sites
from jobs.lake import runs, tables
from jobs.publish import marts
from jobs.settings import Settings
from jobs.sql import identifier

# Names that tell one thing from another of its kind; codes of schools are known by their values.
_IDENTITY = re.compile(
    r"(pupil_key|person_token|document_key|staff_key|_case_code|incident_code|hazard_code|alert_id"
    r"|facility_code|school_group_code|catchment_code)$"
)
_BATCH_ROWS = 200_000


def multiplied(connection: duckdb.DuckDBPyConnection, columns: list[tuple[str, str]], fold: int) -> str:
    """The query of `source` many-fold, given its columns with their types."""
    texts = [name for name, kind in columns if kind == "VARCHAR"]
    is_school = {name: f"({identifier(name)} in (select school_code from schools))" for name in texts}
    changes = {
        name: f"{identifier(name)} is not null" if _IDENTITY.search(name) else is_school[name]
        for name in texts
    }
    # What a school sends is a statement of its own.
    if "sender_code" in is_school and "scope_key" in texts:
        changes["scope_key"] = is_school["sender_code"]
    shown = [
        f"case when copy.k > 0 and {changes[name]} then {identifier(name)} || 'x' || copy.k"
        f" else {identifier(name)} end as {identifier(name)}"
        if name in changes
        else f"({identifier(name)} + copy.k * 1000000)::{kind} as {identifier(name)}"
        if name == "_line_number"
        else identifier(name)
        for name, kind in columns
    ]
    own = [condition for name, condition in changes.items() if name not in ("sender_code", "scope_key")]
    if "sender_code" in is_school:
        own.append(is_school["sender_code"])
    is_many = " or ".join(f"coalesce({condition}, false)" for condition in own) or "false"
    return (
        f"select {', '.join(shown)} from source cross join range({fold}) as copy(k)"
        f" where copy.k = 0 or {is_many}"
    )


def multiply(settings: Settings, fold: int) -> int:
    """Multiply the clean and decision tables and the receipts of a lake. Returns the rows they then have."""
    with duckdb.connect(config={"memory_limit": "6GB", "threads": 2}) as connection:
        connection.register("registers", _rows(settings, "clean_enrollment__school"))
        connection.execute("create table schools as select distinct school_code from registers")
        total = 0
        for name in sorted(tables.pin(settings)):
            if not name.startswith(("clean_", "decision_", "ops__receipt")):
                continue
            path = str(tables.path(settings, name))
            rows = _rows(settings, name)
            connection.register("source", rows)
            described = connection.execute("describe source").fetchall()
            query = multiplied(connection, [(column[0], column[1]) for column in described], fold)
            reader = connection.sql(query).to_arrow_reader(_BATCH_ROWS)
            batches = pa.RecordBatchReader.from_batches(
                rows.schema, (batch.cast(rows.schema) for batch in reader)
            )
            write_deltalake(path, batches, mode="overwrite")
            connection.unregister("source")
            total += DeltaTable(path).count()
    return total


def _rows(settings: Settings, name: str) -> pa.Table:
    found = tables.open_arrow(settings, name)
    assert found is not None, f"{name} is a table of the finished run"
    return found.to_table()


class Memory(threading.Thread):
    """The most memory that this process and its children hold together, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Look until told that it is over."""
        own = psutil.Process()
        while not self.over.wait(0.1):
            held = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
            self.most = max(self.most, held)


def main() -> None:
    """Read the command line; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("finished", type=Path, help="EDULAKE_HOME of a finished run.")
    parser.add_argument("home", type=Path, help="EDULAKE_HOME to make; kept if it is there.")
    parser.add_argument("--fold", type=int, default=50)
    parser.add_argument("--site", default="beijing")
    given = parser.parse_args()
    if not given.home.exists():
        shutil.copytree(given.finished, given.home, symlinks=True)
        os.environ["EDULAKE_HOME"] = str(given.home)
        begun = time.monotonic()
        count = multiply(sites.load(given.site), given.fold)
        print(f"{count:,} rows after {time.monotonic() - begun:.0f} s")
    os.environ["EDULAKE_HOME"] = str(given.home)
    settings = sites.load(given.site)
    run = runs.all_runs(settings)[-1]
    memory = Memory()
    memory.start()
    begun = time.monotonic()
    built = marts.build(settings, run, tables.pin(settings))
    seconds = time.monotonic() - begun
    memory.over.set()
    held = f"{memory.most / 2**30:.1f} GiB"
    print(f"{len(built.rows)} marts, {sum(built.rows.values()):,} rows: {seconds:.0f} s, {held}")
    for name, count in sorted(built.rows.items(), key=lambda item: -item[1])[:8]:
        print(f"  {name}: {count:,} rows, {built.seconds.get(name, 0):.1f} s")
    print(
        "slowest: "
        + ", ".join(
            f"{name} {took:.1f} s"
            for name, took in sorted(built.seconds.items(), key=lambda item: -item[1])[:12]
        )
    )
    print("failed tests: " + (", ".join(test.name for test in built.failed) or "none"))


if __name__ == "__main__":
    main()
