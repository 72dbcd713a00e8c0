"""SQL of people on a release and on the lake: what is opened for it, and what is said beside an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from zoneinfo import ZoneInfo

import duckdb

from jobs import clock
from jobs.publish import catalog, journal, sum_remarks
from jobs.publish import release as releases
from jobs.publish.confined import Answer, Opened, Opening, asked
from jobs.settings import Settings, UserError
from jobs.sql import identifier, literals

# Columns that say of a row whether what it sums, or is summed to, is all there and of one time.
COMPLETE = ("is_complete", "is_base_complete", "is_district_complete", "is_city_complete")
_INCOMPLETE = (
    "数据不全：{table} 有 {count} 行 {mark} = false，其合计缺少单位或混有不同时间的数据。"
    " Incomplete: {count} rows of {table} have {mark} = false; a sum there misses members or mixes times."
)
_EVERY_STATEMENT = (
    "{0} 含全部报送记录，包括已被更正或替代的；求和会重复计算。"
    " These tables hold every statement, superseded ones too; a sum counts those as well."
    " Without `--every-statement` the statements in force answer."
)
_IN_FORCE = (
    "{day} 现行有效的记录，每个主键一行。 Statements in force on {day}, one row per key"
    " (`--every-statement`: all; newest_by_scope.<table>: all terms)."
)


@contextmanager
def on_release(
    settings: Settings, text: str, number: int | None = None, audience: str = "full"
) -> Iterator[Answer]:
    """One SELECT about a release, by default the current one. Raises UserError."""
    with asked(settings, text, *of_release(settings, number, audience)) as answer:
        yield answer


@contextmanager
def on_lake(settings: Settings, text: str, *, every_statement: bool = False) -> Iterator[Answer]:
    """One SELECT about the Delta tables, those of persons where they may be read. Raises UserError."""
    with asked(settings, text, *of_lake(settings, every_statement=every_statement)) as answer:
        yield answer


def of_release(
    settings: Settings, number: int | None = None, audience: str = "full", *, in_chinese: bool = False
) -> tuple[Opening, str]:
    """Opens the file of one audience of a release, and no other; the way out of a refusal. `in_chinese`: with
    a view of Chinese names beside each table. Raises UserError where there is none.
    """
    found = releases.current(settings) if number is None else releases.find(settings, number)
    if found is None:
        raise UserError(
            f"there is no release{'' if number is None else f' {number}'} of {settings.site}.",
            settings.command("release", "list") if releases.current(settings) else settings.command("run"),
        )
    try:
        file = found.file(audience)
    except KeyError:
        there = ", ".join(sorted(name.removesuffix(".duckdb") for name in found.manifest["files"]))
        raise UserError(
            f"release {found.number} has no file for the audience {audience!r}.", f"It has: {there}."
        ) from None

    def opening(connection: duckdb.DuckDBPyConnection) -> Opened:
        connection.execute(f"attach {literals(file)} as release (read_only)")
        connection.execute("use release")
        releases.check(connection, found, audience)
        told = catalog.of_release(connection, "release")
        if in_chinese:
            told = catalog.create_chinese_views(connection, told, "release.main")
            connection.execute("set search_path = 'release.main,memory.zh'")
        names = {table.name_zh: table.name for table in told if table.name_zh}
        noted = [
            f"公告 note on release {found.number} ({note.at[:10]}): {note.note}"
            for note in journal.notes(settings.releases, found.number)
        ]
        return Opened(
            remarks=lambda text: [*noted, *_of_sums(connection, found, _in_english(text, names))],
            is_synthetic=found.is_synthetic,
            tables=told,
        )

    return opening, f"`{settings.command('sql', '--list')}` lists what can be asked."


def _of_sums(connection: duckdb.DuckDBPyConnection, found: releases.Release, text: str) -> list[str]:
    """What to know of a question's sums: rows that miss members, and numbers that do not add up so."""
    mixed = sum_remarks.remarks(connection, "release", text, found.manifest["tables"])
    return [*marked(connection, "release", text), *mixed]


def of_lake(
    settings: Settings, *, every_statement: bool = False, in_chinese: bool = False
) -> tuple[Opening, str]:
    """Opens the lake's tables: the statements in force on the day of the newest run, or, on request, the
    tables as written.
    """
    from jobs.lake import tables

    def opening(connection: duckdb.DuckDBPyConnection) -> Opened:
        readable = tables.readable(settings)
        if every_statement:
            files, schema, line = (
                tables.create_views(connection, settings, readable),
                "main",
                _EVERY_STATEMENT,
            )
        else:
            day, files = _open_window(settings, connection, readable)
            schema, line = "in_force", _IN_FORCE.replace("{day}", day.isoformat())
        shown = "select view_name from duckdb_views() where not internal and schema_name = ?"
        told = catalog.of_lake(name for (name,) in connection.execute(shown, [schema]).fetchall())
        if in_chinese:
            told = catalog.create_chinese_views(connection, told, f"memory.{schema}")
        connection.execute(f"set search_path = '{schema}{',memory.zh' * in_chinese}'")
        names = {table.name_zh: table.name for table in told if table.name_zh}
        return Opened(
            files, remarks=lambda text: _told(line, _in_english(text, names), readable), tables=told
        )

    return opening, f"`{settings.command('sql', '--lake', '--list')}` lists what can be asked."


def _open_window(
    settings: Settings, connection: duckdb.DuckDBPyConnection, readable: list[str]
) -> tuple[date, list[str]]:
    """Show written tables through the window, `ops__` tables as they are. Returns the day and the files."""
    from jobs.lake import tables, window

    day, known_at = _newest(settings)
    opened = {name: tables.open_table(settings, name) for name in readable}
    found = {name: delta for name, delta in opened.items() if delta}
    facts = {name: tables.open_table(settings, name) for name in window.FACTS}
    files = window.create_views(connection, facts | found, day, known_at)
    for name in found:
        if name.startswith("ops__"):
            connection.execute(f"create view in_force.{name} as from {window.WRITTEN}.{name}")
    for name in facts.keys() - found.keys():
        connection.execute(f"drop view if exists in_force.{name}")
    return day, files


def _newest(settings: Settings) -> tuple[date, datetime]:
    """The day of the newest run and what was known then; before the first run, of the newest delivery."""
    from jobs.lake import runs, window

    found = runs.all_runs(settings)
    if found:
        newest = max(found, key=lambda run: run.known_at)
        return newest.as_of_date, newest.known_at
    known_at = clock.end_of_day(clock.today(settings.timezone), settings.timezone)
    with suppress(UserError):
        known_at = window.newest_known(settings)
    return known_at.astimezone(ZoneInfo(settings.timezone)).date(), known_at


def _told(line: str, text: str, readable: list[str]) -> list[str]:
    """The line, where a question names a table that holds statements."""
    named = sorted(name for name in readable if not name.startswith("ops__") and _names(text, name))
    return [line.format(", ".join(named))] if named else []


def _in_english(text: str, names: Mapping[str, str]) -> str:
    """A question with the tables' own names in place of their Chinese ones."""
    return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), text) if names else text


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
