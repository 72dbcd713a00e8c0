"""SQL of people, on a release, on the lake and on history: what it may reach, and how much it may take.

A question is one SELECT. Its connection reads the files that were opened for it and nothing else of the
machine, writes nothing, and its configuration is locked. `sql` in the site's file bounds memory, disk for
sorting, time and rows.
"""

from __future__ import annotations

import os
import re
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psutil

from jobs import faults, origin
from jobs.publish import release as releases
from jobs.publish.time_limit import Clock
from jobs.settings import Settings, UserError
from jobs.sql import identifier, literals

_BATCH_ROWS = 5000
# Beside what DuckDB counts: long texts, and the rows that Python holds.
_UNCOUNTED_BYTES = 512 * 1024**2

# Columns that say of a row whether what it sums, or is summed to, is all there and of one time.
COMPLETE = ("is_complete", "is_base_complete", "is_district_complete", "is_city_complete")
_INCOMPLETE = (
    "数据不全：{table} 有 {count} 行 {mark} = false，其合计缺少单位或混有不同时间的数据。"
    " Incomplete: {count} rows of {table} have {mark} = false; a sum there misses members or mixes times."
)
_EVERY_STATEMENT = (
    "{0} 含全部报送记录，包括已被更正或替代的；求和会重复计算。"
    " These tables hold every statement, superseded ones too; a sum counts those as well."
    " `./edulake asof --help`: it answers with the statements in force."
)

# Makes the relations that may be asked; returns the files that they read and what a reader must know of them.
Opening = Callable[[duckdb.DuckDBPyConnection], "Opened"]


@dataclass(frozen=True)
class Opened:
    """What a question may read, and remarks that belong to every answer from it."""

    files: Sequence[str] = ()
    notes: Sequence[str] = ()
    is_synthetic: bool = False


@dataclass
class Answer:
    """Columns, and rows as they come: each row can be taken once, while the question is open."""

    columns: list[str]
    notes: list[str]
    _batch: Callable[[int], list[tuple[Any, ...]]]
    _most: int | None
    _waiting: list[tuple[Any, ...]] = field(default_factory=list)

    def first(self, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """At most `limit` rows, and whether there are more."""
        taken = self._batch(limit + 1)
        return taken[:limit], len(taken) > limit

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All rows. Raises UserError where the site's bounds end before they do."""
        count = 0
        while batch := self._batch(_BATCH_ROWS):
            count += len(batch)
            if self._most is not None and count > self._most:
                yield from batch[: self._most - count]
                raise UserError(
                    f"the answer has more than {self._most:,} rows; the rest is left out.",
                    "Ask for less (where, group by, limit), or raise `sql.rows` in the site's file.",
                )
            yield from batch


@contextmanager
def on_release(settings: Settings, text: str, number: int | None = None) -> Iterator[Answer]:
    """A question about a release, by default the current one. Raises UserError."""
    found = releases.current(settings) if number is None else releases.find(settings, number)
    if found is None:
        raise UserError(
            f"there is no release{'' if number is None else f' {number}'} of {settings.site}.",
            settings.command("release", "list") if releases.current(settings) else settings.command("run"),
        )

    def opening(connection: duckdb.DuckDBPyConnection) -> Opened:
        connection.execute(f"attach {literals(found.file('full'))} as release (read_only)")
        connection.execute("use release")
        releases.check(connection, found, "full")
        return Opened(notes=marked(connection, "release", text), is_synthetic=found.is_synthetic)

    way_out = f"`{settings.command('sql', 'show tables')}` lists what can be asked."
    with asked(settings, text, opening, way_out) as answer:
        yield answer


@contextmanager
def on_lake(settings: Settings, text: str) -> Iterator[Answer]:
    """A question about the Delta tables as written; those of persons where they may be read."""
    from jobs.lake import tables

    def opening(connection: duckdb.DuckDBPyConnection) -> Opened:
        readable = tables.readable(settings)
        named = [name for name in readable if name.startswith("clean_") and _names(text, name)]
        notes = [_EVERY_STATEMENT.format(", ".join(sorted(named)))] if named else []
        return Opened(tables.create_views(connection, settings, readable), notes)

    way_out = f"`{settings.command('sql', '--lake', 'show tables')}` lists what can be asked."
    with asked(settings, text, opening, way_out) as answer:
        yield answer


def _names(text: str, table: str) -> bool:
    return re.search(rf"\b{table}\b", text, re.IGNORECASE) is not None


def marked(connection: duckdb.DuckDBPyConnection, database: str, text: str) -> list[str]:
    """A remark on each table of an attached file that a question names and that has rows whose sums miss
    members or mix times.
    """
    found = connection.execute(
        "select table_name, column_name from duckdb_columns()"
        f" where database_name = {literals(database)} and column_name in ({literals(*COMPLETE)})"
        " order by table_name, column_index"
    ).fetchall()
    remarks = []
    for table, mark in found:
        if _names(text, table):
            of_table = f"{identifier(database)}.main.{identifier(table)}"
            ((count,),) = connection.execute(
                f"select count(*) from {of_table} where not {identifier(mark)}"
            ).fetchall()
            remarks += [_INCOMPLETE.format(table=table, count=f"{count:,}", mark=mark)] if count else []
    return remarks


@contextmanager
def asked(settings: Settings, text: str, opening: Opening, way_out: str) -> Iterator[Answer]:
    """One SELECT over what `opening` makes.

    Raises UserError with `way_out` for what DuckDB refuses, and where a bound is reached.
    """
    bounds = settings.sql
    with tempfile.TemporaryDirectory(prefix="edulake-sql-") as private:
        connection = duckdb.connect(
            config={
                "memory_limit": f"{bounds.memory_mb}MB",
                "temp_directory": private,
                "max_temp_directory_size": f"{bounds.disk_mb}MB",
                "threads": max(1, min(os.cpu_count() or 1, 4)),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                # Else a name in SQL could mean a variable of this process.
                "python_enable_replacements": False,
            }
        )
        with connection, _told(bounds, way_out):
            statement = _only_select(connection, text)
            opened = opening(connection)
            lock(connection, opened.files)
            made_up = [origin.LINE] if settings.is_synthetic or opened.is_synthetic else []
            clock = Clock(connection, bounds.seconds)
            with _bounded_memory(bounds.memory_mb * 1024**2 + _UNCOUNTED_BYTES):
                with clock.running():
                    result = connection.execute(statement)
                    columns = [column[0] for column in result.description or []]

                def batch(most: int) -> list[tuple[Any, ...]]:
                    with clock.running():
                        return result.fetchmany(most)

                yield Answer(columns, [*made_up, *opened.notes], batch, bounds.rows)


def lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str | Path]) -> None:
    """From now on the connection reads these files, and reaches and changes nothing else."""
    connection.execute(f"set allowed_paths = [{literals(*files)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _only_select(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    statements = connection.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UserError(
            "only one SELECT can be asked.", "SQL never changes anything; land a correction instead."
        )
    return statements[0]


@contextmanager
def _told(bounds: Any, way_out: str) -> Iterator[None]:
    """DuckDB's errors as a UserError."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise UserError(
            f"the question took more than {bounds.seconds} s and was ended.",
            "Ask for less (where, limit), or raise `sql.seconds` in the site's file.",
        ) from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise UserError(
            f"the question takes more than {bounds.memory_mb} MB of memory and {bounds.disk_mb} MB of disk.",
            "Ask for less (where, fewer columns), or raise `sql.memory_mb` or `disk_mb` in the site's file.",
        ) from error
    except duckdb.Error as error:
        if (words := faults.locked(error) or faults.damaged(error)) is not None:
            raise words from error
        raise UserError(f"the query was refused: {error}", way_out) from error


@contextmanager
def _bounded_memory(more: int) -> Iterator[None]:
    """Let this process take so many bytes more than it holds, until the block ends.

    DuckDB does not count all that it takes: the text of `repeat('a', 3000000000)` took 6 GB beyond its bound.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = psutil.Process().memory_info().data + more
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most if before[1] < 0 else min(most, before[1]), before[1]))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, before)
