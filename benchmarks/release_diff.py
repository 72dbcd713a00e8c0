"""Compare two releases table by table: which rows does only one of them have?

    python -m benchmarks.release_diff RELEASE_A RELEASE_B [--table TABLE] [--show 5] [--without COLUMN]

Each argument is a folder with `*.duckdb` files, one an audience (full, city, district-<code>, public).
Tables are compared as bags of rows: a row that A has twice and B once is one row only in A. Order is ignored.
Exit code 0: equal. 1: a file, a table, a column or a row differs. 2: a folder holds no release.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

# Tells number and run of the release, which differ by design.
_ABOUT = "_release"


@dataclass(frozen=True)
class TableDiff:
    """What differs in one table of one file; counts are rows."""

    file: str
    table: str
    rows_a: int
    rows_b: int
    only_a: int
    only_b: int
    note: str = ""

    @property
    def is_equal(self) -> bool:
        """True where neither side has a row, a column or a type that the other lacks."""
        return not (self.only_a or self.only_b or self.note)


def compare(a: Path, b: Path, table: str | None = None, without: tuple[str, ...] = ()) -> list[TableDiff]:
    """The differences of all files of two release folders, equal tables included.

    `table` compares that one alone; columns named in `without` are left out of the comparison.
    Raises FileNotFoundError where a folder holds no release.
    """
    files_a, files_b = _files(a), _files(b)
    found = [TableDiff(name, "", 0, 0, 0, 0, "file only in A") for name in sorted(files_a - files_b)]
    found += [TableDiff(name, "", 0, 0, 0, 0, "file only in B") for name in sorted(files_b - files_a)]
    for name in sorted(files_a & files_b):
        with _both(a / name, b / name) as connection:
            found += _compare_file(connection, name, table, set(without))
    return found


def sample(a: Path, b: Path, diff: TableDiff, count: int, without: tuple[str, ...] = ()) -> list[str]:
    """Up to `count` rows that only A has and as many that only B has, as text."""
    with _both(a / diff.file, b / diff.file) as connection:
        columns = _columns(connection)
        shared = _shared(columns["a"].get(diff.table, {}), columns["b"].get(diff.table, {}), set(without))
        lines = []
        for one, other in (("a", "b"), ("b", "a")):
            query = f"{_difference(diff.table, one, other, shared)} order by all limit {count}"
            rows = connection.execute(query).fetchall()
            lines += [f"  only {one.upper()}: {dict(zip(shared, row, strict=True))}" for row in rows]
        return lines


def _files(folder: Path) -> set[str]:
    names = {path.name for path in folder.glob("*.duckdb")}
    if not names:
        raise FileNotFoundError(f"{folder} holds no *.duckdb file: give the folder of a release")
    return names


def _both(a: Path, b: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    for name, path in (("a", a), ("b", b)):
        quoted = str(path).replace("'", "''")
        connection.execute(f"attach '{quoted}' as {name} (read_only)")
    return connection


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, dict[str, str]]]:
    """Side -> table -> column -> type, in the tables' own order."""
    found: dict[str, dict[str, dict[str, str]]] = {"a": {}, "b": {}}
    for side, table, column, kind in connection.execute(
        "select database_name, table_name, column_name, data_type from duckdb_columns()"
        " where database_name in ('a', 'b') and schema_name = 'main' order by table_name, column_index"
    ).fetchall():
        if table != _ABOUT:
            found[side].setdefault(table, {})[column] = kind
    return found


def _compare_file(
    connection: duckdb.DuckDBPyConnection, name: str, wanted: str | None, without: set[str]
) -> list[TableDiff]:
    columns = _columns(connection)
    found = []
    for table in sorted(columns["a"].keys() | columns["b"].keys()):
        if wanted in (None, table):
            found.append(_compare_table(connection, name, table, columns, without))
    return found


def _compare_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: str,
    columns: dict[str, dict[str, dict[str, str]]],
    without: set[str],
) -> TableDiff:
    own_a, own_b = columns["a"].get(table), columns["b"].get(table)
    rows_a = _count(connection, f'select count(*) from a.main."{table}"') if own_a else 0
    rows_b = _count(connection, f'select count(*) from b.main."{table}"') if own_b else 0
    if own_a is None or own_b is None:
        side = "B" if own_a is None else "A"
        return TableDiff(name, table, rows_a, rows_b, rows_a, rows_b, f"table only in {side}")
    shared = _shared(own_a, own_b, without)
    only_a, only_b = (
        _count(connection, f"select count(*) from ({_difference(table, one, other, shared)})")
        for one, other in (("a", "b"), ("b", "a"))
    )
    return TableDiff(name, table, rows_a, rows_b, only_a, only_b, _column_note(own_a, own_b))


def _shared(a: dict[str, str], b: dict[str, str], without: set[str]) -> list[str]:
    return [column for column in a if column in b and column not in without]


def _difference(table: str, one: str, other: str, columns: list[str]) -> str:
    listed = ", ".join(f'"{column}"' for column in columns)
    sides = [f'select {listed} from {side}.main."{table}"' for side in (one, other)]
    return f"from ({sides[0]} except all {sides[1]})"


def _column_note(a: dict[str, str], b: dict[str, str]) -> str:
    notes = []
    if gone := [column for column in a if column not in b]:
        notes.append(f"columns only in A: {', '.join(gone)}")
    if new := [column for column in b if column not in a]:
        notes.append(f"columns only in B: {', '.join(new)}")
    if changed := [f"{c} {a[c]} -> {b[c]}" for c in a if c in b and a[c] != b[c]]:
        notes.append(f"types: {', '.join(changed)}")
    if not (gone or new) and list(a) != list(b):
        notes.append("columns in another order")
    return "; ".join(notes)


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each table that differs, and one for the whole; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.release_diff", description=(__doc__ or "").strip()
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("a", type=Path, metavar="RELEASE_A", help="folder of the first release")
    parser.add_argument("b", type=Path, metavar="RELEASE_B", help="folder of the second release")
    parser.add_argument("--table", help="compare this table alone")
    parser.add_argument("--without", action="append", default=[], metavar="COLUMN", help="leave a column out")
    parser.add_argument(
        "--show", type=int, default=0, metavar="N", help="print up to N differing rows a side"
    )
    parser.add_argument("--all", action="store_true", help="print equal tables too")
    options = parser.parse_args(arguments)
    without = tuple(options.without)
    try:
        found = compare(options.a, options.b, options.table, without)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    differing = [diff for diff in found if not diff.is_equal]
    shown = found if options.all else differing
    if shown:
        print(f"{'file':24} {'table':34} {'rows A':>9} {'rows B':>9} {'only A':>9} {'only B':>9}  note")
    for diff in shown:
        counts = f"{diff.rows_a:9} {diff.rows_b:9} {diff.only_a:9} {diff.only_b:9}"
        print(f"{diff.file:24} {diff.table:34} {counts}  {diff.note}".rstrip())
        if options.show and (diff.only_a or diff.only_b) and not diff.note.startswith("table"):
            print("\n".join(sample(options.a, options.b, diff, options.show, without)))
    print(f"{len(found)} tables compared, {len(differing)} differ")
    if not found:
        print("nothing was compared", file=sys.stderr)
        return 2
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
