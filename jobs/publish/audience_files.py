"""The files of a release: one DuckDB file per audience, with only the rows that it may see.

A DuckDB file has no users, so the file that a person may open is what he may see: rows are chosen here, by
the `meta` of each dbt model, and nowhere later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from jobs.files import fsync, sha256
from jobs.publish import contract
from jobs.publish.protect import hide, rules
from jobs.publish.published_models import (
    Column,
    Model,
)
from jobs.publish.release import CITY, ReleaseError
from jobs.sql import identifier, literals

# Rows of a file from which on large blocks are the smaller file.
_MANY_ROWS = 200_000
# The oldest DuckDB whose clients read a release.
STORAGE_VERSION = "v1.4.0"
_DISTRICT_CODE = re.compile(r"[0-9A-Za-z]{1,20}")

# Table -> column -> comment on the two tables that tell about a file; "" is the table.
_OWN_COMMENTS = {
    "_release": {
        "": "本文件的来历 — What this file is: release, run, site, audience and dates",
        "release": "发布序号 — Number of the release",
        "run_id": "运行编号 — Run that made it",
        "site": "站点 — Site whose lake it is of",
        "audience": "读者范围 — Who may see it: full, city, public or a district",
        "as_of_date": "数据所示日期 — The day that it shows",
        "known_at": "数据截止时刻 — What was recorded later is not in it",
        "is_synthetic": "是否合成数据 — Whether it is of a made-up city",
    },
    "_column": {
        "": "字段含义 — What each column of each table means",
        "table_name": "数据表 — Table",
        "column_name": "字段 — Column",
        "column_type": "类型 — Type of the column",
        "title_zh": "中文名称 — Chinese name of the column",
        "description": "含义 — Meaning of the column",
    },
    "_checklist": {
        "": "发布检查单 — What was checked before the release went out",
        "check": "检查项 — The check",
        "state": "结果 — green, amber (somebody should look) or red (a person must approve)",
        "measured": "实测值 — What was found; null where it could not be measured",
        "amber_from": "留意起点 — From this value on it is amber",
        "red_from": "审批起点 — From this value on it is red",
        "title_zh": "中文名称 — The check in Chinese",
        "title_en": "英文名称 — The check in English",
        "detail": "说明 — What the value is made of",
    },
}


def write(
    writer: duckdb.DuckDBPyConnection,
    aside: Path,
    audience: str,
    about: Mapping[str, Any],
    models: list[Model],
    district_code: str | None = None,
) -> dict[str, Any]:
    """Write the file of one audience. Returns its entry in the manifest."""
    path = aside / f"{audience}.duckdb"
    sources = {}
    for model in models:
        source = _source(model)
        if district_code is not None and model.scope != CITY:
            source += f" where {identifier(model.scope)}::varchar = {literals(district_code)}"
            if model.city_rows:
                source += f" or {identifier(model.scope)} is null"
        sources[model.name] = source
    rows = {
        name: writer.execute(f"select count(*) from {source}").fetchall()[0][0]
        for name, source in sources.items()
    }
    for model in models:
        if model.public:
            sources[model.name] += f" order by {hide.order(rules.read_rule(model.name, model.protect))}"
    attach_new(writer, path, "release", sum(rows.values()))
    # One transaction a file, not one a table: each would wait for the disk.
    writer.execute("begin")
    for name, source in sources.items():
        writer.execute(f"create table release.main.{identifier(name)} as from {source}")
    _write_about(writer, audience, about, models)
    writer.execute("commit")
    writer.execute("checkpoint release")
    writer.execute("detach release")
    if path.with_name(path.name + ".wal").exists():
        raise ReleaseError(f"{path.name} still has a log beside it: it would be incomplete without")
    # The owner hands a file on by copying it; nobody reads it where it lies.
    path.chmod(0o400)
    fsync(path)
    return {"sha256": sha256(path), "bytes": path.stat().st_size, "tables": rows}


def attach_new(writer: duckdb.DuckDBPyConnection, path: Path, name: str, row_count: int) -> None:
    """Attach a new file of a release, in the form that clients of `STORAGE_VERSION` and later read."""
    # A column takes a block at least: 256 kB, the default, would make small files mostly air (6 MB for 150
    # rows of 23 tables), and 16 kB would double large ones.
    block_size = 16384 if row_count < _MANY_ROWS else 262144
    form = f"storage_version {literals(STORAGE_VERSION)}, block_size {block_size}"
    writer.execute(f"attach {literals(path)} as {name} ({form})")


def comment(writer: duckdb.DuckDBPyConnection, on: str, told: Mapping[str, Mapping[str, str]]) -> None:
    """Comment on tables and columns of the attached file `on`. `told`: table -> column -> comment; the
    table's own stands under "".
    """
    statements = [
        f"comment on {'column' if column else 'table'} {of}{f'.{identifier(column)}' if column else ''}"
        f" is {literals(words)}"
        for table, columns in told.items()
        for of in [f"{on}.main.{identifier(table)}"]
        for column, words in columns.items()
        if words
    ]
    if statements:
        writer.execute(";".join(statements))


def comments(connection: duckdb.DuckDBPyConnection, on: str) -> dict[str, dict[str, str]]:
    """The comments of an attached file, as `comment` takes them."""
    told: dict[str, dict[str, str]] = {}
    for table, column, words in connection.execute(
        "select table_name, '' as column_name, comment from duckdb_tables() where database_name = $1"
        " union all select table_name, column_name, comment from duckdb_columns() where database_name = $1",
        [on],
    ).fetchall():
        told.setdefault(table, {})[column] = words or ""
    return told


def _source(model: Model) -> str:
    """The table of a model in the writer, with the old names of its columns: of a public one the copy whose
    small counts are hidden.
    """
    table = f"{f'memory.{hide.SCHEMA}' if model.public else 'build.main'}.{identifier(model.name)}"
    old = "".join(f", {identifier(one.new)} as {identifier(one.old)}" for one in model.renamed)
    return f"(select *{old} from {table})" if old else table


def _write_about(
    writer: duckdb.DuckDBPyConnection, audience: str, about: Mapping[str, Any], models: list[Model]
) -> None:
    """Write `_release` (what the file is) and `_column` (what columns mean): files get copied and sent on."""
    writer.execute(
        "create table release.main._release as select ?::integer as release, ? as run_id, ? as site,"
        " ? as audience, ?::date as as_of_date, ? as known_at, ?::boolean as is_synthetic",
        [
            *(about["release"], about["run_id"], about["site"], audience, about["as_of_date"]),
            *(about["known_at"], about["is_synthetic"]),
        ],
    )
    meanings = [
        (model.name, column["name"], column["type"], column["title_zh"], column["description"])
        for model in models
        for column in about["tables"][model.name]["columns"]
    ]
    names = ("table_name", "column_name", "column_type", "title_zh", "description")
    # Lists, not rows: a file without tables has no row, and the table all the same.
    lists = ", ".join(f"unnest(?::varchar[]) as {name}" for name in names)
    writer.execute(
        f"create table release.main._column as select {lists}",
        [[row[place] for row in meanings] for place in range(len(names))],
    )
    if is_told := audience in ("full", CITY):
        _write_checklist(writer, about["checklist"])
    of_models = {model.name: _comments(model, about["tables"][model.name]["columns"]) for model in models}
    own = {table: told for table, told in _OWN_COMMENTS.items() if table != "_checklist" or is_told}
    comment(writer, "release", of_models | own)


def _comments(model: Model, columns: list[dict[str, Any]]) -> dict[str, str]:
    """Column -> comment; that of the table under "", with its footnotes."""
    told = {"": _words(f"{model.title_zh} {model.title_en}".strip(), model.description)}
    told[""] += "".join(f" {zh} {en}" for zh, en in model.footnotes)
    for column in columns:
        words = _words(column["title_zh"], column["description"])
        over = column.get("additive_over")
        if words and over is not None:
            keys = ", ".join(over)
            words += (
                f"；可沿 {keys} 相加 (sum over {keys} only)" if over else "；不可相加 (never to be summed)"
            )
        told[column["name"]] = words
    return told


def _words(*parts: str) -> str:
    return " — ".join(part for part in parts if part)


# What `_checklist` says of each check.
_CHECK_COLUMNS = {
    "check": "varchar",
    "state": "varchar",
    "measured": "double",
    "amber_from": "double",
    "red_from": "double",
    "title_zh": "varchar",
    "title_en": "varchar",
    "detail": "varchar",
}


def _write_checklist(writer: duckdb.DuckDBPyConnection, checks: list[Mapping[str, Any]]) -> None:
    """Write `_checklist`: what was measured before the release went out, for those who ask by SQL."""
    lists = ", ".join(f"unnest(?::{kind}[]) as {identifier(name)}" for name, kind in _CHECK_COLUMNS.items())
    writer.execute(
        f"create table release.main._checklist as select {lists}",
        [[check[name] for check in checks] for name in _CHECK_COLUMNS],
    )


def described(writer: duckdb.DuckDBPyConnection, model: Model, columns: Mapping[str, str]) -> dict[str, Any]:
    """What the manifest says about a table: rows, digest, scope, and its columns with their meaning."""
    rows, made = digest(writer, _source(model), list(columns.items()))
    old = {one.old: {"alias_of": one.new} for one in model.renamed}
    return {
        "rows": rows,
        "digest": made,
        "title_zh": model.title_zh,
        "title_en": model.title_en,
        "description": model.description,
        "platform": model.platform,
        "scope": model.scope,
        "pupil_rows": model.pupil_rows,
        **({"school_rows": model.school_rows} if model.school_rows else {}),
        "public": model.public,
        "audience": model.audience,
        "grain": list(model.grain),
        "pick_one": model.pick_one,
        "total_marks": model.total_marks,
        "next_update": model.next_update,
        "footnotes": [{"zh": zh, "en": en} for zh, en in model.footnotes],
        "city_rows": model.city_rows,
        "major": model.major,
        "members": contract.members(writer, _source(model), model.grain, columns),
        "columns": [
            {"name": name, "type": kind, **vars(model.columns.get(name, Column())), **old.get(name, {})}
            for name, kind in columns.items()
        ],
    }


def digest(writer: duckdb.DuckDBPyConnection, source: str, columns: list[tuple[str, str]]) -> tuple[int, str]:
    """The row count of a table, and a digest of its content that ignores row order and file layout.

    Each row is written as length-prefixed text, so that no two rows share one, and hashed; the sums of the
    two halves of the hashes are order-free. DuckDB's own `hash` may change with its version, md5 does not.
    """
    texts = ", ".join(f"{identifier(name)}::varchar" for name, _ in columns)
    row = f"list_aggregate([coalesce(length(v) || ':' || v, '-') for v in [{texts}]], 'string_agg', '')"
    counted = writer.execute(
        f"with written as (select {row} as text from {source})"
        " select count(*), coalesce(sum(md5_number_lower(text)), 0), coalesce(sum(md5_number_upper(text)), 0)"
        " from written"
    ).fetchall()[0]
    rows, lower, upper = (int(number) for number in counted)
    return rows, hashlib.sha256(repr((columns, rows, lower, upper)).encode()).hexdigest()


def district_codes(writer: duckdb.DuckDBPyConnection, models: list[Model]) -> list[str]:
    """The districts that have rows in any of the models. Raises ReleaseError for a code that is none."""
    codes: set[str] = set()
    for model in models:
        if model.scope != CITY:
            scope = identifier(model.scope)
            found = writer.execute(
                f"select distinct {scope}::varchar from {_source(model)} where {scope} is not null"
            ).fetchall()
            codes |= {code for (code,) in found}
    for code in codes:
        if not _DISTRICT_CODE.fullmatch(code):
            raise ReleaseError(f"{code!r} is not a district code: a file is named after each")
    return sorted(codes)
