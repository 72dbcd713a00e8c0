"""SQL of people, confined: what a question may reach, and how much of the machine it may take.

A session answers one SELECT after another. Its connection reads the files that were opened for it and nothing
else of the machine, writes nothing, and its configuration is locked. `sql` in the site's file bounds memory,
disk for sorting, time and rows of each question.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psutil

from jobs import origin
from jobs.publish import catalog, refusals
from jobs.publish.time_limit import Clock
from jobs.settings import Settings, UserError
from jobs.sql import literals

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.site import Sql

_BATCH_ROWS = 5000
# Beside what DuckDB counts: long texts, and the rows that Python holds.
_UNCOUNTED_BYTES = 512 * 1024**2
# What the engine has to answer an interrupt; while it plans a query it answers none.
_GRACE_SECONDS = 10

# Makes the relations that may be asked; returns the files that they read and what a reader must know of them.
Opening = Callable[[duckdb.DuckDBPyConnection], "Opened"]


def _no_remarks(_: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Opened:
    """What questions may read, and what belongs to the answers: to all, or to those that name a table."""

    files: Sequence[str] = ()
    notes: Sequence[str] = ()
    remarks: Callable[[str], Sequence[str]] = _no_remarks
    is_synthetic: bool = False
    tables: Sequence[catalog.Table] = ()


@dataclass
class Answer:
    """Columns, and rows as they come: each row can be taken once, while the question is open."""

    columns: list[str]
    notes: list[str]
    _batch: Callable[[int], list[tuple[Any, ...]]]
    _most: int | None

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
                raise refusals.too_many(self._most)
            yield from batch


@dataclass
class ArrowAnswer:
    """The same as Arrow batches, with the types of the columns."""

    schema: pa.Schema
    notes: list[str]
    _next: Callable[[], pa.RecordBatch | None]
    _most: int | None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows. Raises UserError where the site's bounds end before they do."""
        count = 0
        while (batch := self._next()) is not None:
            count += batch.num_rows
            if self._most is not None and count > self._most:
                raise refusals.too_many(self._most)
            yield batch


@dataclass
class Session:
    """A locked connection and what it may be asked. Each question has the site's bounds for itself."""

    _connection: duckdb.DuckDBPyConnection
    _settings: Settings
    _opened: Opened
    _way_out: str
    _private: Path

    @property
    def notes(self) -> list[str]:
        """What belongs to every answer."""
        made_up = self._settings.is_synthetic or self._opened.is_synthetic
        return [*([origin.LINE] if made_up else []), *self._opened.notes]

    @property
    def tables(self) -> Sequence[catalog.Table]:
        """What can be asked, with its meaning."""
        return self._opened.tables

    def known(self) -> dict[str, list[str]]:
        """The tables that a bare name means, with their columns."""
        return refusals.known(self._connection)

    @contextmanager
    def asked(self, statement: duckdb.Statement) -> Iterator[Answer]:
        """One SELECT of `selects`. Raises UserError for what DuckDB refuses, and where a bound is reached."""
        with self._bounded() as clock:
            notes = [*self.notes, *self._opened.remarks(statement.query)]
            with clock.running():
                result = self._connection.execute(statement)
                columns = [column[0] for column in result.description or []]

            def batch(most: int) -> list[tuple[Any, ...]]:
                with clock.running():
                    return result.fetchmany(most)

            yield Answer(columns, notes, batch, self._settings.sql.rows)

    @contextmanager
    def asked_as_arrow(self, statement: duckdb.Statement) -> Iterator[ArrowAnswer]:
        """The same for an answer as Arrow."""
        with self._bounded() as clock:
            notes = [*self.notes, *self._opened.remarks(statement.query)]
            with clock.running():
                reader = self._connection.sql(statement.query).to_arrow_reader(_BATCH_ROWS)

            def following() -> pa.RecordBatch | None:
                with clock.running():
                    return next(reader, None)

            yield ArrowAnswer(reader.schema, notes, following, self._settings.sql.rows)

    @contextmanager
    def _bounded(self) -> Iterator[Clock]:
        """The bounds of one question; DuckDB's errors as a UserError."""
        bounds = self._settings.sql
        with (
            _told(bounds, self._way_out, self._connection),
            _bounded_memory(bounds.memory_mb * 1024**2 + _UNCOUNTED_BYTES),
        ):
            yield Clock(self._connection, bounds.seconds, self._end_process, _GRACE_SECONDS)

    def _end_process(self) -> None:
        """Where the engine plans a query for ever and hears no interrupt: say it, and end this process."""
        shutil.rmtree(self._private, ignore_errors=True)
        words = refusals.too_long(self._settings.sql)
        os.write(2, f"{words.message}\n{words.way_out}\n".encode())
        os._exit(1)


def selects(settings: Settings, text: str, way_out: str) -> list[duckdb.Statement]:
    """The statements of a text. Raises UserError for a text without one, and where one is no SELECT."""
    with duckdb.connect() as connection, _told(settings.sql, way_out, None):
        found = connection.extract_statements(text)
    for number, statement in enumerate(found, start=1):
        if statement.type != duckdb.StatementType.SELECT:
            raise refusals.no_select(statement, number if len(found) > 1 else None)
        refusals.check_names(statement.query)
    if not found:
        raise refusals.nothing_asked()
    return found


@contextmanager
def session(settings: Settings, opening: Opening, way_out: str) -> Iterator[Session]:
    """A session over what `opening` makes. Refusals come with `way_out`."""
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
        with connection:
            with _told(bounds, way_out, None):
                opened = opening(connection)
                lock(connection, opened.files)
            yield Session(connection, settings, opened, way_out, Path(private))


@contextmanager
def asked(settings: Settings, text: str, opening: Opening, way_out: str) -> Iterator[Answer]:
    """One SELECT over what `opening` makes. Raises UserError as a session does."""
    found = selects(settings, text, way_out)
    if len(found) > 1:
        raise UserError("only one SELECT can be asked here.", "Ask them one after the other.")
    with session(settings, opening, way_out) as opened, opened.asked(found[0]) as answer:
        yield answer


def lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str | Path]) -> None:
    """From now on the connection reads these files, and reaches and changes nothing else."""
    connection.execute(f"set allowed_paths = [{literals(*files)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


@contextmanager
def _told(bounds: Sql, way_out: str, connection: duckdb.DuckDBPyConnection | None) -> Iterator[None]:
    """DuckDB's errors as a UserError."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise refusals.too_long(bounds) from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise refusals.too_large(bounds) from error
    except duckdb.Error as error:
        raise refusals.refused(error, way_out, connection) from error


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
