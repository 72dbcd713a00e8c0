"""Why a question in SQL was not answered, in words, with the names that were perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import duckdb

from jobs import faults
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.site import Sql

_NO_TABLE = re.compile(r"Table with name (?P<name>.+?) does not exist")
_NO_COLUMN = re.compile(
    r'Referenced column "(?P<name>[^"]+)" (?:was )?not found|does not have a column named "(?P<other>[^"]+)"'
)
_NO_FUNCTION = re.compile(r"Function with name \"?(?P<name>.+?)\"? does not exist")
_OUTSIDE = re.compile(r"file system|external access|disabled by configuration|extension", re.IGNORECASE)
# Functions and views that tell about the machine, or run text that nobody has looked at.
_CLOSED = re.compile(
    r"\b(?:duckdb_(?:settings|secrets|secret_types|extensions|logs?\w*|temporary_files|databases)|which_secret"
    r"|pragma_database_list|getenv|current_setting|query|query_table|read_duckdb)\b(?=\s*\()"
    r"|\b(?:duckdb_(?:settings|secrets|extensions|logs|temporary_files|databases)|pragma_database_list)\b",
    re.IGNORECASE,
)
# What is no code: comments, texts; and quoted names, which are names all the same.
_SPARE = re.compile(
    r"--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"
    r'|"(?P<name>(?:[^"]|"")*)"',
    re.DOTALL | re.IGNORECASE,
)
_NEAR_ENOUGH = 0.6
_MOST_NAMES = 4


def known(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The tables that a bare name means, with their columns."""
    found: dict[str, list[str]] = {}
    query = (
        "select table_name, column_name from duckdb_columns() where not internal"
        " and list_contains(current_schemas(false), schema_name) order by table_name, column_index"
    )
    for table, column in connection.execute(query).fetchall():
        found.setdefault(table, []).append(column)
    return found


def near(name: str, names: Iterable[str]) -> list[str]:
    """The names most like one that there is not, nearest first."""
    wanted = name.lower().strip('"')
    rated = [(_likeness(wanted, other.lower()), other) for other in dict.fromkeys(names)]
    rated.sort(key=lambda pair: (-pair[0], pair[1]))
    return [other for likeness, other in rated if likeness >= _NEAR_ENOUGH][:_MOST_NAMES]


def _likeness(wanted: str, other: str) -> float:
    parts, others = {*wanted.split("_")}, {*other.split("_")}
    shared = len(parts & others) / len(parts)
    return max(SequenceMatcher(None, wanted, other).ratio(), shared * (wanted in other or len(parts) > 1))


def nothing_asked() -> UserError:
    """For a text that holds no statement."""
    return UserError(
        "没有要执行的查询。 The query was refused: there is nothing in it.",
        'Write one SELECT, as in "select count(*) from dim_school".',
    )


def no_select(statement: duckdb.Statement, number: int | None) -> UserError:
    """For a statement that is no SELECT; `number` counts it among several."""
    which = f"statement {number}" if number else "the statement"
    kind = statement.type.name.replace("_", " ")
    shown = " ".join(statement.query.split())[:40]
    return UserError(
        f"只能执行 SELECT。 The query was refused: only SELECT can be asked, and {which} is {kind}: {shown}",
        "SQL never changes anything, reads no files and sets nothing; land a correction instead.",
    )


def check_names(query: str) -> None:
    """Raises UserError for a function that tells about the machine, or runs a text as a query."""
    if found := _CLOSED.search(_SPARE.sub(lambda spare: f" {spare['name'] or ''} ", query)):
        raise UserError(
            f"该函数不可用：{found[0]}。 The query was refused: {found[0]} is not for questions about data.",
            "Leave it out: tables and columns are in `show tables` and `describe <table>`.",
        )


def too_long(bounds: Sql) -> UserError:
    """For a question that takes too much time."""
    return UserError(
        f"the question took more than {bounds.seconds} s and was ended.",
        "Ask for less (where, limit), or raise `sql.seconds` in the site's file.",
    )


def too_large(bounds: Sql) -> UserError:
    """For a question that takes too much memory and disk."""
    return UserError(
        f"the question takes more than {bounds.memory_mb} MB of memory and {bounds.disk_mb} MB of disk.",
        "Ask for less (where, fewer columns), or raise `sql.memory_mb` or `disk_mb` in the site's file.",
    )


def too_many(rows: int) -> UserError:
    """For an answer that has more rows than the site allows."""
    return UserError(
        f"the answer has more than {rows:,} rows; the rest is left out.",
        "Ask for less (where, group by, limit), or raise `sql.rows` in the site's file.",
    )


def refused(error: duckdb.Error, way_out: str, connection: duckdb.DuckDBPyConnection | None) -> UserError:
    """What DuckDB refuses, in words."""
    if (words := faults.locked(error) or faults.damaged(error)) is not None:
        return words
    said, names = str(error), known(connection) if connection else {}
    if found := _NO_TABLE.search(said):
        return _unknown("数据表", "table", found["name"], names, way_out)
    if found := _NO_COLUMN.search(said):
        name = found["name"] or found["other"]
        return _unknown("字段", "column", name, _of_named(said, names), way_out)
    if found := _NO_FUNCTION.search(said):
        return _unknown("函数", "function", found["name"], _suggested(said), way_out)
    if isinstance(error, duckdb.PermissionException) or _OUTSIDE.search(said.split("\n")[0]):
        return UserError(
            "查询只能读取已打开的数据表。 The query was refused: it may read the tables that were opened"
            " for it, and no file, folder, network address or other database.",
            way_out,
        )
    if isinstance(error, duckdb.ParserException):
        return UserError(f"语法有误。 The query was refused: {said.removeprefix('Parser Error: ')}", way_out)
    return UserError(f"the query was refused: {said}", way_out)


def _of_named(said: str, names: Mapping[str, list[str]]) -> list[str]:
    """The columns of the tables that the query names, else of all."""
    line = said.partition("LINE ")[2]
    of_tables = [
        column for table, columns in names.items() if re.search(rf"\b{table}\b", line) for column in columns
    ]
    return of_tables or [column for columns in names.values() for column in columns]


def _suggested(said: str) -> list[str]:
    return re.findall(r'Did you mean "([^"]+)"', said)


def _unknown(zh: str, en: str, name: str, names: Iterable[str], way_out: str) -> UserError:
    found = near(name, names)
    near_zh, near_en = (
        (f"，相近的有 {'、'.join(found)}", f"; near: {', '.join(found)}") if found else ("", "")
    )
    return UserError(
        f"没有{zh} {name}{near_zh}。 The query was refused: there is no {en} {name}{near_en}.", way_out
    )
