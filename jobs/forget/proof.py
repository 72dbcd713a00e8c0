"""Look for a person's values in every byte that a site keeps: unpacked, decoded, column by column.

Compressed and columnar files hide a value from a plain search, so Parquet and DuckDB files are read as
tables, and archives and workbooks member by member; the bytes themselves are searched besides.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb

from jobs.settings import Settings
from jobs.sql import identifier, literals, parquet

_ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
_DEEPEST = 4


def places(
    settings: Settings, values: Collection[str], names: Collection[str] = (), but: Collection[Path] = ()
) -> tuple[list[Path], list[Path]]:
    """Return every file of the site that holds one of the values, in its own name too, except `but`; and of
    the others those that hold one of the names.
    """
    own = (settings.home, settings.lake, settings.landing, settings.releases, settings.run)
    roots = {*own, settings.secrets}
    files = {path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()}
    left, namesakes = [], []
    with duckdb.connect() as db:
        for path in sorted(files - set(but)):
            if any(value in path.name for value in values) or holds(path, values, db):
                left.append(path)
            elif names and (any(name in path.name for name in names) or holds(path, names, db)):
                namesakes.append(path)
    return left, namesakes


def holds(path: Path, values: Collection[str], db: duckdb.DuckDBPyConnection | None = None) -> bool:
    """Whether the file holds one of the values, in whatever form it packs them. `db` reads its tables."""
    if not values:
        return False
    data = path.read_bytes()
    if _bytes_hold(data, values, _DEEPEST):
        return True
    if data[:4] != b"PAR1" and data[8:12] != b"DUCK":
        return False
    if db is None:
        with duckdb.connect() as own:
            return holds(path, values, own)
    if data[:4] == b"PAR1":
        return _table_holds(parquet(path), values, db)
    return _database_holds(path, values, db)


def _bytes_hold(data: bytes, values: Collection[str], depth: int) -> bool:
    if any(value.encode(encoding, "ignore") in data for value in values for encoding in _ENCODINGS):
        return True
    return depth > 0 and any(_bytes_hold(part, values, depth - 1) for part in _unpacked(data))


def _unpacked(data: bytes) -> Iterator[bytes]:
    try:
        if data[:2] == b"\x1f\x8b":
            yield gzip.decompress(data)
        elif data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    yield member.filename.encode()
                    yield archive.read(member)
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return


def _database_holds(path: Path, values: Collection[str], db: duckdb.DuckDBPyConnection) -> bool:
    db.execute(f"attach {literals(path)} as found (read_only)")
    try:
        names = db.execute("select table_name from duckdb_tables() where database_name = 'found'").fetchall()
        return any(_table_holds(f"found.{identifier(name)}", values, db) for (name,) in names)
    finally:
        db.execute("detach found")


def _table_holds(table: str, values: Collection[str], db: duckdb.DuckDBPyConnection) -> bool:
    found = " or ".join(f"contains(t::varchar, {literals(value)})" for value in values)
    return bool(db.execute(f"select exists (from {table} as t where {found})").fetchall()[0][0])
