"""Rows against receipts: of which files do tables hold fewer or more lines than their receipts say?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from jobs import declare
from jobs.ingest import balance
from jobs.lake import tables
from jobs.repair.finding import Finding
from jobs.settings import Settings
from jobs.sql import parquet

# (delivery, SHA-256): what every line of a file carries.
Key = tuple[str, str]
REFUSED = "ops__refused_row"
_JUDGED = ("accepted", "held")


@dataclass(frozen=True)
class Differing:
    """A file whose lines in one table are not as many as they should be."""

    table: str
    key: Key
    wanted: int
    found: int


def is_half_done(settings: Settings) -> bool:
    """Whether a batch of a killed run waits: then counts differ and nothing is wrong."""
    return any((settings.restricted / "batches").glob("*/*.json"))


def differing(settings: Settings, unsound: Collection[str] = ()) -> list[Differing]:
    """Every file and table whose counts differ, of the tables that can be read."""
    receipts = tables.rows(settings, "ops__receipt")
    judged = {(r["delivery_id"], r["file_sha256"]): r for r in receipts if r["outcome"] in _JUDGED}
    found: list[Differing] = []
    for feed in settings.feeds:
        own = {key: r for key, r in judged.items() if r["feed"] == feed}
        found += _compare(settings, f"raw_{feed}", {key: r["line_count"] for key, r in own.items()}, unsound)
        for contract in declare.datasets_of(feed):
            accepted = {
                key: r["accepted_count"]
                for key, r in own.items()
                if r["dataset"] == contract.dataset and r["outcome"] == "accepted"
            }
            for table in contract.tables:
                found += _compare(settings, table, accepted, unsound)
    refused = {key: r["refused_count"] for key, r in judged.items()}
    found += _compare(settings, REFUSED, refused, unsound)
    for table, dataset in declare.STATEMENTS_OF.items():
        scores = tables.open_table(settings, table) if table not in unsound else None
        if scores is not None:
            # What is not scored yet is scored by the next run; a batch that was scored was scored whole.
            done = {
                key: r["accepted_count"]
                for key, r in judged.items()
                if r["dataset"] == dataset and r["outcome"] == "accepted"
                if scores.transaction_version(f"{table}/{r['batch_id']}") is not None
            }
            found += _compare(settings, table, done, unsound)
    return found


def _compare(
    settings: Settings, table: str, wanted: Mapping[Key, int], unsound: Collection[str]
) -> list[Differing]:
    if table in unsound:
        return []
    there = counts(settings, table)
    return [
        Differing(table, key, wanted.get(key, 0), there.get(key, 0))
        for key in sorted(wanted.keys() | there.keys())
        if wanted.get(key, 0) != there.get(key, 0)
    ]


def counts(settings: Settings, table: str) -> dict[Key, int]:
    """Lines that a table holds of each file."""
    files = tables.files(tables.open_table(settings, table))
    if not files:
        return {}
    prefix = "" if table.startswith("ops__") else "_"
    lines = "count(distinct (table_number, line_number))" if table.startswith("ops__") else "count(*)"
    rows = duckdb.execute(
        f"select {prefix}delivery_id, {prefix}file_sha256, {lines} from {parquet(*files)} group by all"
    ).fetchall()
    return {(delivery, sha): count for delivery, sha, count in rows}


def examine(settings: Settings, unsound: Collection[str]) -> list[Finding]:
    """The differences as findings, one for each table, and what else does not add up."""
    if is_half_done(settings):
        place = "lake/restricted/batches"
        return [Finding(place, "waits", "none", detail="`./edulake run` finishes it", is_note=True)]
    found: dict[tuple[str, str], list[Differing]] = {}
    unread = {
        table for table in _counted(settings) if table not in unsound and not _can_count(settings, table)
    }
    unsound = {*unsound, *unread}
    known = {(r["delivery_id"], r["file_sha256"]) for r in _keys(settings)}
    for one in differing(settings, unsound):
        wrong = "short" if one.key in known else "stray"
        found.setdefault((one.table, wrong), []).append(one)
    findings = [_finding(settings, table, wrong, own) for (table, wrong), own in found.items()]
    findings += [_unread(settings, table) for table in sorted(unread)]
    if not findings and not unsound:
        findings += [
            Finding("lake/ops__receipt", "sum", "again", row["receipt_id"] or "", row["problem"])
            for row in balance.broken(settings)
        ]
    return findings


def _counted(settings: Settings) -> list[str]:
    """The tables whose lines are counted."""
    clean = [table for feed in settings.feeds for c in declare.datasets_of(feed) for table in c.tables]
    return [*(f"raw_{feed}" for feed in settings.feeds), *clean, REFUSED, *declare.STATEMENTS_OF]


def _can_count(settings: Settings, table: str) -> bool:
    """Whether the table can be read at all; a look at names and sizes alone may have passed a bad file."""
    try:
        counts(settings, table)
    except (duckdb.Error, OSError):
        return False
    return True


def _unread(settings: Settings, table: str) -> Finding:
    place = f"lake/{tables.path(settings, table).relative_to(settings.lake)}"
    return Finding(place, "unreadable", "none", table, "lake check without --quick names the file")


def _keys(settings: Settings) -> list[dict[str, Any]]:
    return tables.rows(settings, "ops__receipt", ["delivery_id", "file_sha256"])


def _finding(settings: Settings, table: str, wrong: str, own: list[Differing]) -> Finding:
    place = f"lake/{tables.path(settings, table).relative_to(settings.lake)}"
    first = own[0]
    detail = f"{first.key[0]}: {first.found} of {first.wanted}" + (f", {len(own)} files" * (len(own) > 1))
    return Finding(place, wrong, "again" if wrong == "stray" else mend_of(table), table, detail)


def mend_of(table: str) -> str:
    """How the lines of a file come back into a table."""
    if table.startswith("raw_"):
        return "reread"
    return "rescore" if table in declare.STATEMENTS_OF else "remake"
