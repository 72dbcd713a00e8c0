"""Relations of files under trial: what `relations` would find of their lines if they stood in the lake.

The lake's own rows and those of the files are asked together, in the same views and by the same queries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from jobs import clock, declare
from jobs.declare import Contract
from jobs.ingest import relations
from jobs.judging import judge
from jobs.lake import links, persons, window
from jobs.settings import Settings
from jobs.sql import literals, parquet

# Together with reading and judging this keeps a verdict below a minute; what is not asked by then is named.
SECONDS = 25.0
_MEMORY = "1GB"

# (delivery, hash): what every line of a file carries.
Key = tuple[str, str]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Judged:
    """Judged rows of one dataset (Parquet), and the files under trial that they are of."""

    contract: Contract
    file: Path
    files: Sequence[Key]
    accepted: Sequence[Key]


@dataclass(frozen=True)
class Related:
    """Findings and rates with the columns of `ops__finding` and `ops__match_rate`, without a run; names of
    the relations that were not asked in time.
    """

    findings: Rows
    rates: Rows
    unasked: list[str]

    def of(self, key: Key) -> tuple[Rows, Rows, list[str]]:
        """What is said of one file."""

        def own(rows: Rows) -> Rows:
            return [row for row in rows if (row["delivery_id"], row["file_sha256"]) == key]

        return own(self.findings), own(self.rates), self.unasked


def find(settings: Settings, judged: Sequence[Judged], day: date, stage: Path) -> Related:
    """Check the relations of accepted files. `day`: on which they are received; `stage`: for what spills."""
    asked = [
        (relation, one.contract)
        for one in judged
        if one.accepted
        for relation in relations.load().values()
        if one.contract.dataset in relation.datasets
    ]
    found = Related([], [], [])
    if not asked:
        return found
    as_of = max(day, window.newest_day(settings) or day)
    known_at = clock.end_of_day(as_of, settings.timezone)
    which = f" where (_delivery_id, _file_sha256) in ({_keys(key for one in judged for key in one.accepted)})"
    rows = _with_judged(settings, judged, stage)
    datasets = relations.datasets(relation for relation, _ in asked)
    with window.opened(settings, as_of, known_at, datasets, rows=rows, views=relations.VIEWS) as lake:
        connection = lake.connection
        assert connection is not None
        connection.execute(f"set memory_limit = '{_MEMORY}'")
        connection.execute("set temp_directory = $spill", {"spill": str(stage / "related")})
        connection.execute(f"set schema = '{relations.VIEWS[-1]}'")
        timer = threading.Timer(SECONDS, connection.interrupt)
        timer.start()
        try:
            for place, (relation, contract) in enumerate(asked):
                found.unasked[:] = [one.name for one, _ in asked[place:]]
                findings, rates = relations.ask(connection, relation, contract, which)
                found.findings.extend(findings)
                found.rates.extend(rates)
            found.unasked.clear()
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            pass  # told by name
        finally:
            timer.cancel()
    return found


def _with_judged(
    settings: Settings, judged: Sequence[Judged], stage: Path
) -> dict[str, Callable[[str], str]]:
    """Table -> its own rows with those of the files in place of what it may have of them."""
    found = {one.contract.table: _replacing(one) for one in judged}
    evidence = {one.contract.dataset: found[one.contract.table] for one in judged if one.accepted}
    if evidence.keys() & links.EVIDENCE:
        # Two numbers may turn out to be one pupil by these files.
        file = stage / "links.parquet"
        rows = links.with_rows(settings, evidence)
        schema = declare.arrow_schema(declare.table_columns(persons.LINKS))
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
        found[persons.LINKS] = lambda _: f"select * from {parquet(file)}"
    return found


def _replacing(one: Judged) -> Callable[[str], str]:
    columns = ", ".join(f'"{name}"' for name in one.contract.clean_columns())
    accepted = f"(_delivery_id, _file_sha256) in ({_keys(one.accepted)})" if one.accepted else "false"
    fresh = f"select {columns} from {parquet(one.file)} where {judge.IS_SOUND} and {accepted}"

    def rows(own: str) -> str:
        is_other = f"(_delivery_id, _file_sha256) not in ({_keys(one.files)})"
        return f"select {columns} from ({own}) where {is_other} union all {fresh}"

    return rows


def _keys(keys: Iterable[Key]) -> str:
    return ", ".join(f"({literals(*key)})" for key in keys)
