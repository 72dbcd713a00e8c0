"""Cells of text -> typed, coded, judged rows: a contract as pure Spark expressions.

One row in, one row out. Each rule is evaluated once per row; a row ends with two lists, `refused`
(impossible: it must be sent again) and `flags` (unusual or unmapped: kept, and asked about), each entry
`column:rule`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.contracts import STATING, WITHDRAWING, Contract, spark_type
from jobs.contracts import Column as Declared
from jobs.feeds import bounds
from jobs.feeds.values import is_checked, is_digits_lost, value_of
from jobs.feeds.workbooks import UNCALCULATED

# Written where there is nothing to write.
NOTHING = ("", "NULL", "null", "-", "--", "—", "/", "#N/A", "N/A", "\\N")

_WIDE = "".join(chr(c) for c in range(0xFF01, 0xFF5F)) + "\u3000\u00a0"
_NARROW = "".join(chr(c) for c in range(0x21, 0x7F)) + "  "


# Code of the resident identity card in `expectations/codes/id_document_type.csv`.
_RESIDENT_CARD = "1"

_SHORTEST_DOCUMENT = 6


def parse(
    raw: DataFrame,
    files: DataFrame,
    contract: Contract,
    grade_scheme: str,
    scaled: Collection[str] = (),
) -> DataFrame:
    """Raw lines of one thing -> its clean columns, with `refused array<string>` beside them.

    raw: `_batch_id, _delivery_id, _file_sha256, _table, _member, _sheet, _line_number, cells`.
    files: one row a table of a file: `_delivery_id, _file_sha256, _table, positions array<int>` (a column's
    place in the cells, -1 where absent, in the contract's order), `operation int` (place of the column that
    says what a line does, or -1), `sender_code, received_date, delivery_no, recorded_at, school_year_start,
    term`. The contract's `identity` comes out as `_identifier` and the identity document as `_document`, for
    the caller to turn into the person's key and `document_key`. `scaled`: columns whose
    heading names another unit in some file; `files` then has `factors array<double>` too. Rows out: rows in.
    """
    rows = raw.join(F.broadcast(files), on=["_delivery_id", "_file_sha256", "_table"], how="inner")
    # Step by step, each made once: an expression used twice within one step would be worked out twice.
    cells = [F.get("cells", F.get("positions", F.lit(i))) for i in range(len(contract.columns))]
    rows = rows.select(
        "*", *[_plain(c).alias(f"_text_{d.name}") for c, d in zip(cells, contract.columns, strict=True)]
    )
    rows = rows.withColumns({f"_text_{c.name}": _given(c) for c in contract.columns})

    values = {
        c.name: value_of(c, F.col(f"_text_{c.name}"), grade_scheme, _factor(c, place, scaled))
        for place, c in enumerate(contract.columns)
    }
    if contract.sender == "school":
        values.setdefault("school_code", F.col("sender_code"))
    own = [value.alias(f"_value_{name}") for name, value in values.items()]
    operation = F.lower(_written(_plain(F.get("cells", F.col("operation")))))
    rows = rows.select("*", *own, operation.alias("_operation"))
    rows = rows.withColumn(
        "_is_withdrawn", F.coalesce(F.col("_operation").isin(*_lower(WITHDRAWING)), F.lit(False))
    )

    rows = bounds.with_bounds(rows, contract, _valid_from(contract))
    refused, flags = _judgements(contract, scaled)
    rows = rows.select("*", _told(refused).alias("refused"), _told(flags).alias("flags"))
    rows = rows.withColumns({name: _listed(F.col(name)) for name in ("refused", "flags")})
    # Of several lines with one key in a file the first stands; only sound lines compete.
    identifier = F.col(f"_text_{contract.identity}") if contract.identity else F.lit(None).cast("string")
    rows = rows.withColumn("_identifier", F.upper(identifier)).withColumn("_document", _document(contract))
    key = [_key_column(contract, name) for name in contract.key]
    order = Window.partitionBy("_delivery_id", "_file_sha256", F.size("refused") == 0, *key).orderBy(
        "_member", "_sheet", "_line_number"
    )
    repeated = (F.row_number().over(order) > 1) & (F.size("refused") == 0)
    rows = rows.withColumn(
        "refused",
        F.when(repeated, F.array(F.lit(f"{contract.key[0]}:repeated_key"))).otherwise(F.col("refused")),
    )
    return rows.select(*_statement(contract), "_identifier", "_document", "refused")


def _given(column: Declared) -> Column:
    """What is written in a cell, or what the declaration puts where nothing is."""
    written = _written(F.col(f"_text_{column.name}"))
    return written if column.default is None else F.coalesce(written, F.lit(column.default))


def _document(contract: Contract) -> Column:
    """The number of an identity document as it is compared; null where it is too short to name anybody."""
    if contract.identity_document is None:
        return F.lit(None).cast("string")
    number = F.upper(F.regexp_replace(F.col(f"_text_{contract.identity_document}"), r"[\s-]", ""))
    return F.when(F.length(number) >= _SHORTEST_DOCUMENT, number)


def _factor(column: Declared, place: int, scaled: Collection[str]) -> Column | None:
    return F.get("factors", F.lit(place)) if column.name in scaled else None


def accepted(parsed: DataFrame) -> DataFrame:
    return parsed.where(F.size("refused") == 0)


def refusals(parsed: DataFrame, contract: Contract) -> DataFrame:
    """One row per refused line and reason, as `ops__refused_row` has them: no values."""
    reasons = parsed.where(F.size("refused") > 0).select("*", F.explode("refused").alias("_reason"))
    return reasons.select(
        F.lit(contract.thing).alias("thing"),
        "sender_code",
        F.col("_delivery_id").alias("delivery_id"),
        F.col("_file_sha256").alias("file_sha256"),
        F.col("_member").alias("member"),
        F.col("_sheet").alias("sheet"),
        F.col("_line_number").alias("line_number"),
        F.split_part("_reason", F.lit(":"), F.lit(1)).alias("column_name"),
        F.split_part("_reason", F.lit(":"), F.lit(2)).alias("rule"),
        F.col("_batch_id").alias("batch_id"),
    )


def flagged_lines(sound: DataFrame, contract: Contract) -> DataFrame:
    """One row per flagged line with its flags, as `ops__flagged_row` has them: no values."""
    return sound.select(
        F.lit(contract.thing).alias("thing"),
        "sender_code",
        F.col("_delivery_id").alias("delivery_id"),
        F.col("_file_sha256").alias("file_sha256"),
        F.col("_member").alias("member"),
        F.col("_sheet").alias("sheet"),
        F.col("_line_number").alias("line_number"),
        "flags",
        F.col("_batch_id").alias("batch_id"),
    )


def _plain(cell: Column) -> Column:
    """A cell narrowed and trimmed."""
    # Plain ASCII, most of what is sent, has nothing to narrow, and narrowing looks at each character.
    is_ascii = F.octet_length(cell) == F.char_length(cell)
    narrow = F.when(is_ascii, cell).otherwise(F.translate(cell, _WIDE, _NARROW))
    return F.trim(F.ltrim(F.trim(narrow), F.lit("'’‘`")))


def _written(plain: Column) -> Column:
    """Null where nothing is written."""
    return F.when(plain.isin(*NOTHING), F.lit(None)).otherwise(plain)


def _judgements(
    contract: Contract, scaled: Collection[str] = ()
) -> tuple[list[tuple[Column, str]], list[tuple[Column, str]]]:
    """(condition, reason) of what refuses a row and of what flags it; `Contract.row_rules` tells the same."""
    refused: list[tuple[Column, str]] = []
    flags: list[tuple[Column, str]] = []
    impossibles: dict[str, Column] = {}
    for place, column in enumerate(contract.columns):
        text, value = F.col(f"_text_{column.name}"), F.col(f"_value_{column.name}")
        unread = text.isNotNull() & value.isNull()
        if column.required:
            refused.append((text.isNull(), f"{column.name}:required"))
        if column.type == "string" and not column.pattern:
            # Everything else has a rule that does not take it.
            refused.append((text == UNCALCULATED, f"{column.name}:formula"))
        if column.codes and not column.codes_open:
            judged = refused if column.name in contract.key else flags
            judged.append((unread, f"{column.name}:unmapped_code"))
        elif column.type != "string":
            refused.append((unread, f"{column.name}:type"))
        if column.is_identifier:
            refused += _identifier_rules(contract, column)
        elif column.pattern:
            refused.append((~value.rlike(f"^(?:{column.pattern})$"), f"{column.name}:pattern"))
        impossible, unusual = bounds.outside(contract, column, value)
        if impossible is not None:
            impossibles[column.name] = impossible
            refused.append((impossible, f"{column.name}:impossible"))
        if unusual is not None:
            flags.append((unusual, f"{column.name}:unusual"))
        if column.other_units and impossible is not None and unusual is not None:
            # Beside what refuses or flags the value, never alone.
            other = bounds.looks_like_another_unit(contract, column, column.name in scaled)
            refused.append(((unread | impossible) & other, f"{column.name}:other_unit"))
            flags.append((unusual & other, f"{column.name}:other_unit"))
        if column.name in scaled:
            is_other_kind = (F.get("factors", F.lit(place)) < 0) & text.isNotNull()
            flags.append((is_other_kind, f"{column.name}:wrong_unit"))
    for rule in contract.rules:
        judged = refused if rule.verdict == "refuse" else flags
        broken = bounds.broken(contract, rule)
        for name in rule.columns:
            if name in impossibles:
                # What cannot be contradicts nothing: one reason is enough.
                broken = broken & ~F.coalesce(impossibles[name], F.lit(False))
        judged.append((broken, rule.reason))
    known = F.col("_operation").isin(*_lower(STATING + WITHDRAWING))
    # Of a withdrawn line only the key counts.
    kept = contract.key_columns()
    refused = [(_unless_withdrawn(c, r, kept), r) for c, r in refused] + [(~known, "operation:unmapped_code")]
    return refused, [(_unless_withdrawn(c, r, kept), r) for c, r in flags]


def _unless_withdrawn(condition: Column, reason: str, key: set[str]) -> Column:
    return condition if reason.partition(":")[0] in key else condition & ~F.col("_is_withdrawn")


def _lower(words: Iterable[str]) -> list[str]:
    return [word.lower() for word in words]


def _identifier_rules(contract: Contract, column: Declared) -> list[tuple[Column, str]]:
    """What refuses a number that names a person: digits lost in a sheet, and a check that does not hold."""
    text, value = F.col(f"_text_{column.name}"), F.col(f"_value_{column.name}")
    lost = is_digits_lost(text)
    rules = [(lost, f"{column.name}:digits_lost")]
    if column.pattern:
        rules.append((~lost & ~value.rlike(f"^(?:{column.pattern})$"), f"{column.name}:pattern"))
    # Not `when`: within its branches Spark would work the digits out seventeen times again.
    if column.check_digit == "pupil_number":
        # A temporary number (L) has no check, and so passes.
        whole = value.rlike(r"^[GJ]\d{17}[0-9X]$")
        return [*rules, (whole & ~is_checked(F.substring(value, 2, 18)), f"{column.name}:check_digit")]
    whole = text.rlike(r"^\d{17}[0-9Xx]$")
    if "id_document_type_code" in {c.name for c in contract.columns}:
        kind = F.col("_value_id_document_type_code")
        if column.required:
            # Where it is not asked for, a word in its place (无) costs nobody the row.
            rules.append((~lost & (kind == _RESIDENT_CARD) & ~whole, f"{column.name}:pattern"))
        whole = whole & F.coalesce(kind == _RESIDENT_CARD, F.lit(True))
    return [*rules, (~lost & whole & ~is_checked(F.upper(text)), f"{column.name}:check_digit")]


def _told(judgements: Iterable[tuple[Column, str]]) -> Column:
    """The reasons whose condition holds, as one text; a condition that is null does not."""
    # `array_compact` is not compiled, and would have all rules interpreted.
    return F.concat_ws("|", *[F.when(condition, F.lit(reason)) for condition, reason in judgements])


def _listed(told: Column) -> Column:
    return F.when(told == "", F.array().cast("array<string>")).otherwise(F.split(told, r"\|"))


def _key_column(contract: Contract, name: str) -> Column:
    if name == contract.person_key:
        return F.col("_identifier")
    if name in {c.name for c in contract.columns} or (name == "school_code" and contract.sender == "school"):
        return F.col(f"_value_{name}")
    return F.col(name)


def _statement(contract: Contract) -> list[Column]:
    """The clean table's columns in order, but the person's key and `document_key`."""
    made = {
        "valid_from": _valid_from(contract),
        "valid_to": F.lit(None).cast("date"),
        "stated_on": F.coalesce(F.col(f"_value_{contract.stated_on}"), F.col("received_date"))
        if contract.stated_on
        else F.col("received_date"),
        "is_withdrawn": F.col("_is_withdrawn"),
        "pupil_number_kind": F.substring("_identifier", 1, 1),
        "unmapped": _unmapped(contract),
        "scope_key": _scope_key(contract),
    }
    from_file = {"delivery_no", "recorded_at", "sender_code", "flags", "term"}
    declared = {c.name for c in contract.columns}
    columns = []
    for name, kind in contract.clean_columns().items():
        if name in {contract.person_key, "document_key"}:
            continue
        if name in made:
            column = made[name]
        elif name in declared or (name == "school_code" and contract.sender == "school"):
            column = F.col(f"_value_{name}")
        elif name in from_file or name.startswith("_") or name == "school_year_start":
            column = F.col(name)
        else:
            raise AssertionError(name)
        columns.append(column.cast(spark_type(kind)).alias(name))
    return columns


def _unmapped(contract: Contract) -> Column:
    """`column=value` of each code that its list does not have, as sent; personal ones stay in raw alone."""
    kept = [c for c in contract.columns if c.codes and not c.codes_open and not c.is_personal]
    told = [
        F.when(
            F.col(f"_text_{c.name}").isNotNull() & F.col(f"_value_{c.name}").isNull(),
            F.concat(F.lit(f"{c.name}="), F.translate(F.col(f"_text_{c.name}"), "|", "/")),
        )
        for c in kept
    ]
    return _listed(F.concat_ws("|", *told)) if told else F.array().cast("array<string>")


def _scope_key(contract: Contract) -> Column:
    if contract.delivery != "snapshot":
        return F.lit(None).cast("string")
    declared = {c.name for c in contract.columns}
    parts: list[Column] = []
    for name in contract.scope:
        if name == "sender":
            parts.append(F.col("sender_code"))
        elif name == "term":
            parts += [F.col("school_year_start").cast("string"), F.col("term").cast("string")]
        else:
            parts.append(F.col(f"_value_{name}" if name in declared else name).cast("string"))
    return F.concat_ws("|", *parts)


def _valid_from(contract: Contract) -> Column:
    declared = {c.name: c for c in contract.columns}
    name = contract.valid_from
    if name is None:
        return F.col("received_date")
    if name == "term_start":
        second = F.make_date(F.col("school_year_start") + 1, F.lit(3), F.lit(1))
        return F.when(F.col("term") == 2, second).otherwise(
            F.make_date(F.col("school_year_start"), F.lit(9), F.lit(1))
        )
    if name == "school_year_start":
        return F.make_date(F.col(f"_value_{name}"), F.lit(9), F.lit(1))
    if declared[name].type == "year":
        return F.make_date(F.col(f"_value_{name}"), F.lit(1), F.lit(1))
    return F.coalesce(F.col(f"_value_{name}"), F.col("received_date"))
