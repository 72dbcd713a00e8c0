"""Cells of text -> typed, coded, judged rows: a contract as one query of DuckDB over raw lines.

One row in, one row out. Each rule is evaluated once per row; a row ends with two lists, `refused`
(impossible: it must be sent again) and `flags` (unusual or unmapped: kept, and asked about), each entry
`column:rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial, reduce

import duckdb
import pyarrow as pa

from jobs import clock
from jobs.declare import STATING, WITHDRAWING, Contract, duckdb_type, is_open
from jobs.declare import Column as Declared
from jobs.judging import aside, classes, days, identifiers, of_sender, row_bounds, texts
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col, lit, substring
from jobs.judging.values import tells_no_result, value_of
from jobs.lake.senders import Senders

# Written where there is nothing to write.
NOTHING = ("", "NULL", "null", "-", "--", "–", "—", "——", "−", "/", "N/A", "\\N")


def parse(
    db: duckdb.DuckDBPyConnection,
    raw: str,
    files: pa.Table,
    contract: Contract,
    grade_scheme: str,
    scaled: Collection[str] = (),
    timezone: str = "UTC",
    known: Senders | None = None,
) -> str:
    """Return the query of one dataset's clean columns, with `refused` and `unmapped` (varchar[]) beside them.

    Rows in: raw lines of the table or view `raw`, with `_batch_id, _delivery_id, _file_sha256, _table,
    _line_number, cells`. Rows out: one per raw line.

    `files` has one row per table of a file: `_delivery_id, _file_sha256, _table, positions list<int>` (each
    column's place in the cells, -1 where absent, in the contract's order), `headings list<varchar>` (what
    stands above each, if given), `operation int` (place of the column that says whether a line states or
    withdraws, or -1), `named int` (cells up to the last that has a heading), `widest int` (cells that a line
    may have at most, blank ones included), `sender_code, received_date, delivery_no, recorded_at,
    school_year_start, term`. It is registered in `db` for the query. `scaled` are columns whose heading names
    another unit in some file; `files` then has `factors list<double>` too. An instant is the day that it was
    in `timezone`. `known`: the site's senders, where lines are to be refused that are not their sender's.

    The contract's `identity` comes out as `_identifier` and the identity document as `_document`, for the
    caller to turn into the person's key and `document_key`.
    """
    db.register("_files", files)
    rows = f"select * from {raw} inner join _files using (_delivery_id, _file_sha256, _table)"
    # Each step makes its expressions once: used twice within one step, an expression is computed twice.
    rows = _with_texts(rows, contract, files)
    rows = _with_values(rows, contract, grade_scheme, scaled, timezone)
    rows = classes.with_classes(rows, contract)
    rows = row_bounds.with_bounds(db, rows, contract, _valid_from(contract))
    rows = of_sender.with_districts(db, rows, contract, known)
    rows = _with_reasons(rows, contract, scaled, known)
    rows = aside.with_aside(rows, contract, files, grade_scheme)
    rows = _with_place_among_key(rows, contract)
    is_repeated = (col("_nth") > 1) & (col("_refused") == "")
    refused = choose((is_repeated, f"{contract.key[0]}:repeated_key"), otherwise=col("_refused"))
    beside = [sql.listed(refused).named("refused"), _unmapped(contract).cast("varchar[]").named("unmapped")]
    columns = [*_statement(contract), '"_identifier"', '"_document"', *beside]
    return row_bounds.with_hints(f"select {', '.join(columns)} from ({rows})", contract)


def _with_texts(rows: str, contract: Contract, files: pa.Table) -> str:
    """Each column's cell as text (`_text_<column>`), and what the line does (`_operation`)."""
    rows = _with_whole_days(rows, contract, files)
    written = reduce(sql.each, (texts.narrow, texts.plain, _written), Sql("cells"))
    rows = _beside(rows, {"_written": written})
    rows = _beside(rows, _cells(contract, files))
    numbers = {f"_text_{c.name}": partial(texts.spelled, c) for c in contract.columns if texts.is_spelled(c)}
    rows = sql.alike(rows, {name: (name, make) for name, make in numbers.items()})
    of_time = [f"_text_{c.name}" for c in contract.columns if c.type in ("date", "month") and not c.codes]
    return sql.alike(rows, {name: (name, days.plain) for name in of_time})


def _with_whole_days(rows: str, contract: Contract, files: pa.Table) -> str:
    """The cells of lines that are too long, with no day in two of them."""
    first = (files["positions"].to_pylist() or [[]])[0]
    dated = [place for place, column in enumerate(contract.columns) if column.type == "date" and first]
    # From left to right: one that is joined moves those behind it to their places.
    for place in sorted(dated, key=lambda place: first[place]):
        whole = days.rejoined(col("cells"), Sql(f"positions[{place + 1}]"))
        rows = _replaced(rows, {"cells": choose((Sql("len(cells) > named"), whole), otherwise=col("cells"))})
    return rows


def _with_values(
    rows: str, contract: Contract, grade_scheme: str, scaled: Collection[str], timezone: str
) -> str:
    """Each column's typed value (`_value_<column>`), and whether the line withdraws its key.

    Of its text also whether a sheet's error stands there, and whether a word says that there is no result.
    """
    made: dict[str, tuple[str, Callable[[Sql], Sql]]] = {}
    for place, column in enumerate(contract.columns):
        name, text, factor = column.name, f"_text_{column.name}", _factor(column, place, scaled)
        read = partial(value_of, column, grade_scheme=grade_scheme, factor=factor, timezone=timezone)
        made |= {f"_value_{name}": (text, read), f"_is_error_{name}": (text, texts.is_error)}
        if column.no_result:
            made[f"_no_result_{name}"] = (text, tells_no_result)
    rows = sql.alike(rows, made)
    is_withdrawn = coalesce(col("_operation").is_in(_lower(WITHDRAWING)), False)
    beside = {"_is_withdrawn": is_withdrawn}
    if contract.sender == "school" and "school_code" not in {c.name for c in contract.columns}:
        beside["_value_school_code"] = col("sender_code")
    return _beside(rows, beside)


def _with_reasons(
    rows: str, contract: Contract, scaled: Collection[str], known: Senders | None = None
) -> str:
    """Why each line is refused or flagged, and the identifiers it carries."""
    refused, flags = _judgements(contract, scaled)
    # The key of a line that is withdrawn is its sender's, too.
    refused += of_sender.faults(contract, known)
    identifier = col(f"_text_{contract.identity}") if contract.identity else lit(None).cast("varchar")
    return _beside(
        rows,
        {
            "_refused": _reasons(refused),
            "_flags": _reasons(flags),
            "_identifier": sql.call("upper", identifier),
            "_document": identifiers.document(contract),
        },
    )


def _with_place_among_key(rows: str, contract: Contract) -> str:
    """`_nth`: of several lines with one key in a file the first stands; only sound lines compete."""
    key = [_key_column(contract, name) for name in contract.key]
    of_one_key = ", ".join(map(str, (col("_delivery_id"), col("_file_sha256"), col("_refused") == "", *key)))
    nth = Sql(f"row_number() over (partition by {of_one_key} order by _table, _line_number)")
    return _beside(rows, {"_nth": nth})


def _beside(rows: str, columns: dict[str, Sql]) -> str:
    return f"select *, {', '.join(value.named(name) for name, value in columns.items())} from ({rows})"


def _replaced(rows: str, columns: dict[str, Sql]) -> str:
    listed = ", ".join(value.named(name) for name, value in columns.items())
    return f"select * replace ({listed}) from ({rows})"


def _cells(contract: Contract, files: pa.Table) -> dict[str, Sql]:
    """What is written in each column's cell, or its default; and in that which says what a line does."""
    positions = files["positions"].to_pylist()
    found = {}
    for place, column in enumerate(contract.columns):
        cell = _cell(f"positions[{place + 1}]", [p[place] for p in positions])
        found[f"_text_{column.name}"] = cell if column.default is None else coalesce(cell, column.default)
    operation = _cell("operation", files["operation"].to_pylist())
    return found | {"_operation": sql.call("lower", operation)}


def _cell(place: str, places: list[int]) -> Sql:
    """The cell at the place that the file's row names; most often it is the same in all files."""
    if len(set(places)) > 1:
        return Sql(f"_written[{place} + 1]")
    return sql.item(col("_written"), places[0]) if places and places[0] >= 0 else lit(None).cast("varchar")


def _factor(column: Declared, place: int, scaled: Collection[str]) -> Sql | None:
    return sql.item(Sql("factors"), place) if column.name in scaled else None


# Conditions on judged rows.
IS_SOUND = "len(refused) = 0"
IS_REFUSED = "len(refused) > 0"


def _lines(contract: Contract, judged: str, own: str) -> str:
    return (
        f"select {lit(contract.dataset)} as dataset, sender_code, _delivery_id as delivery_id,"
        " _file_sha256 as file_sha256, _table as table_number, _line_number as line_number,"
        f" {own}, _batch_id as batch_id from {judged}"
    )


def refusals(judged: str, contract: Contract) -> str:
    """Return the query of one row per refused line and reason, as `ops__refused_row` has them: no values."""
    reasons = f"(select *, unnest(refused) as _reason from {judged} where {IS_REFUSED})"
    own = "split_part(_reason, ':', 1) as column_name, split_part(_reason, ':', 2) as rule"
    return _lines(contract, reasons, own)


def flagged_lines(judged: str, contract: Contract) -> str:
    """Return the query of one row per sound, flagged line with its flags, as `ops__flagged_row` has them."""
    return _lines(contract, f"(from {judged} where {IS_SOUND} and len(flags) > 0)", "flags")


def _written(plain: Sql) -> Sql:
    """Null where nothing is written."""
    return choose((~plain.is_in(NOTHING), plain))


Judgement = tuple[Sql, str]


def _judgements(contract: Contract, scaled: Collection[str] = ()) -> tuple[list[Judgement], list[Judgement]]:
    """(condition, reason) pairs: those that refuse a row, and those that flag it."""
    refused: list[Judgement] = []
    flags: list[Judgement] = []
    impossibles: dict[str, Sql] = {}
    for place, column in enumerate(contract.columns):
        unread = _as_values(contract, column, refused, flags)
        impossible, unusual = row_bounds.outside(contract, column, col(f"_value_{column.name}"))
        if impossible is not None:
            impossibles[column.name] = impossible
            refused.append((impossible, f"{column.name}:impossible"))
        if unusual is not None:
            flags.append((unusual, f"{column.name}:unusual"))
        if column.other_units and impossible is not None and unusual is not None:
            # Beside what refuses or flags the value, never alone.
            other = row_bounds.looks_like_another_unit(contract, column, column.name in scaled)
            refused.append(((unread | impossible) & other, f"{column.name}:other_unit"))
            flags.append((unusual & other, f"{column.name}:other_unit"))
        if column.name in scaled:
            is_other_kind = (sql.item(Sql("factors"), place) < 0) & col(f"_text_{column.name}").is_given()
            flags.append((is_other_kind, f"{column.name}:wrong_unit"))
    for rule in contract.rules:
        judged = refused if rule.verdict == "refuse" else flags
        broken = row_bounds.broken(contract, rule)
        for name in rule.columns:
            if name in impossibles:
                # What cannot be contradicts nothing: one reason is enough.
                broken = broken & ~coalesce(impossibles[name], False)
        judged.append((broken, rule.reason))
    refused += _of_shape(contract)
    flags += classes.doubts(contract)
    known = col("_operation").is_in(_lower(STATING + WITHDRAWING))
    # Of a withdrawn line only the key counts.
    kept = contract.key_columns()
    refused = [(_unless_withdrawn(c, r, kept), r) for c, r in refused] + [(~known, "operation:unmapped_code")]
    return refused, [(_unless_withdrawn(c, r, kept), r) for c, r in flags]


def _as_values(contract: Contract, column: Declared, refused: list[Judgement], flags: list[Judgement]) -> Sql:
    """Add what is wrong with the text of a column as its value; returns whether it is none."""
    text, value = col(f"_text_{column.name}"), col(f"_value_{column.name}")
    # An error in place of a result has a reason of its own.
    is_error = col(f"_is_error_{column.name}")
    # What is behind a condition is worked out where it holds alone.
    is_lost = text.is_given() & value.is_null()
    unread = choose((is_lost, ~is_error), otherwise=False)
    if column.required:
        refused.append((text.is_null(), f"{column.name}:required"))
    refused.append((is_error, f"{column.name}:formula"))
    if column.no_result:
        is_word = col(f"_no_result_{column.name}")
        flags.append((choose((is_lost, is_word)), f"{column.name}:no_result"))
        unread = choose((is_lost, ~is_error & ~is_word), otherwise=False)
    if column.type == "month":
        is_unclear = choose((text >= "A", days.is_unclear_month(text)))
        flags.append((is_unclear, f"{column.name}:month_unclear"))
    if column.codes and not is_open(column):
        judged = refused if column.name in contract.key or column.needs_code else flags
        judged.append((unread, f"{column.name}:unmapped_code"))
    elif column.type != "string":
        refused.append((unread, f"{column.name}:type"))
    if column.is_identifier:
        refused += [(c & ~is_error, reason) for c, reason in identifiers.faults(contract, column)]
        flags += [(c & ~is_error, reason) for c, reason in identifiers.doubts(contract, column)]
    elif column.pattern:
        refused.append((~(value.matches(f"^(?:{column.pattern})$") | is_error), f"{column.name}:pattern"))
    return unread


def _of_shape(contract: Contract) -> list[tuple[Sql, str]]:
    """What a sheet or a delimiter did to a line: a class became a day, a cell stands under no heading."""
    became = [
        (texts.is_date(col(f"_text_{column.name}")), f"{column.name}:became_date")
        for column in contract.columns
        if column.never_date
    ]
    # One cell too many moves all behind it.
    beyond = "len(list_filter(cells[named + 1:], lambda cell: trim(cell) <> '')) > 0"
    shifted = Sql(f"(case when len(cells) > named then len(cells) > widest or {beyond} else false end)")
    return [*became, *classes.faults(contract), (shifted, f"{contract.key[0]}:cells_beyond")]


def _unless_withdrawn(condition: Sql, reason: str, key: set[str]) -> Sql:
    return condition if reason.partition(":")[0] in key else condition & ~col("_is_withdrawn")


def _lower(words: Iterable[str]) -> list[str]:
    return [word.lower() for word in words]


def _reasons(judgements: Iterable[tuple[Sql, str]]) -> Sql:
    """The reasons whose condition holds, as one text; a condition that is null does not hold."""
    found = (choose((condition, reason)) for condition, reason in judgements)
    return sql.call("concat_ws", "|", None, *found)


def _key_column(contract: Contract, name: str) -> Sql:
    if name == contract.person_key:
        return col("_identifier")
    if name in {c.name for c in contract.columns} or (name == "school_code" and contract.sender == "school"):
        return col(f"_value_{name}")
    return col(name)


def _statement(contract: Contract) -> list[str]:
    """The clean table's columns in order, without the person's key and `document_key`."""
    stated = col("received_date")
    made = {
        "valid_from": _valid_from(contract),
        "valid_to": lit(None),
        "stated_on": coalesce(col(f"_value_{contract.stated_on}"), stated) if contract.stated_on else stated,
        "is_withdrawn": col("_is_withdrawn"),
        "pupil_number_kind": substring(col("_identifier"), 1, 1),
        "scope_key": _scope_key(contract),
        "flags": sql.listed(col("_flags")),
    }
    from_file = {"delivery_no", "recorded_at", "sender_code", "term"}
    declared = {c.name for c in contract.columns}
    columns = []
    for name, kind in contract.clean_columns().items():
        if name in {contract.person_key, "document_key"}:
            continue
        if name in made:
            column = made[name]
        elif name in declared or (name == "school_code" and contract.sender == "school"):
            column = col(f"_value_{name}")
        elif name in from_file or name.startswith("_") or name == "school_year_start":
            column = col(name)
        else:
            raise AssertionError(name)
        columns.append(column.cast(duckdb_type(kind)).named(name))
    return columns


def _unmapped(contract: Contract) -> Sql:
    """`column=value` of each code that its list lacks, as sent; personal ones stay in raw alone."""
    kept = [c for c in contract.columns if c.codes and not is_open(c) and not c.is_personal]
    found = [
        choose(
            (
                col(f"_text_{c.name}").is_given() & col(f"_value_{c.name}").is_null(),
                sql.call("concat", f"{c.name}=", sql.call("replace", col(f"_text_{c.name}"), "|", "/")),
            )
        )
        for c in kept
    ]
    return sql.listed(sql.call("concat_ws", "|", *found)) if found else Sql("[]")


def _scope_key(contract: Contract) -> Sql:
    if contract.delivery != "snapshot":
        return lit(None)
    declared = {c.name for c in contract.columns}
    parts: list[Sql] = []
    for name in contract.scope:
        if name == "sender":
            parts.append(col("sender_code"))
        elif name == "term":
            parts += [col("school_year_start"), col("term")]
        else:
            parts.append(col(f"_value_{name}" if name in declared else name))
    return sql.call("concat_ws", "|", *(part.cast("varchar") for part in parts))


def _valid_from(contract: Contract) -> Sql:
    declared = {c.name: c for c in contract.columns}
    name = contract.valid_from
    if name is None:
        return col("received_date")
    if name == "term_start":
        second = sql.call("make_date", col("school_year_start") + 1, *clock.TERM_BEGINS[2])
        return choose(
            (col("term") == 2, second),
            otherwise=sql.call("make_date", col("school_year_start"), *clock.YEAR_BEGINS),
        )
    if name == "school_year_start":
        return sql.call("make_date", col(f"_value_{name}"), *clock.YEAR_BEGINS)
    if declared[name].type == "year":
        return sql.call("make_date", col(f"_value_{name}"), 1, 1)
    return coalesce(col(f"_value_{name}"), col("received_date"))
