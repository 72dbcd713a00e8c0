"""The declarations of `expectations/`, loaded once: what each feed dataset holds, and the tables it becomes.

`fields.yaml` describes each column once; a contract names its columns and adds what is its own. From the two
come the reader's headings, the row rules, the clean table's schema and the audit.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from jobs.declare import units

# Another folder by the environment, for the whole process: to try a declaration before it is ours.
EXPECTATIONS = Path(
    os.environ.get("EDULAKE_EXPECTATIONS", Path(__file__).resolve().parents[2] / "expectations")
)

# What every statement carries behind its contract's own columns.
STATEMENT_COLUMNS: dict[str, str] = {
    "valid_from": "date",
    "valid_to": "date",
    "stated_on": "date",
    "delivery_no": "int",
    "recorded_at": "timestamp",
    "is_withdrawn": "bool",
    "scope_key": "string",
    "flags": "array<string>",
    "unmapped": "array<string>",
    "sender_code": "string",
    "_delivery_id": "string",
    "_file_sha256": "string",
    "_member": "string",
    "_sheet": "string",
    "_line_number": "bigint",
    "_batch_id": "string",
}

# The column by which a sender says what a line does, and the words that withdraw the line's key.
OPERATION_HEADINGS = ("操作", "操作类型", "记录状态", "数据状态", "record_status", "operation")
WITHDRAWING = ("撤销", "撤回", "删除", "作废", "D", "delete", "withdraw", "withdrawn")
STATING = ("新增", "更正", "修改", "变更", "正常", "有效", "A", "U", "add", "update")

# Tables of statements that the lake makes itself take their history from the dataset they are made of.
STATEMENTS_OF = {
    "decision_fitness__score": "test_result",
    "decision_fitness__recheck_score": "recheck_sample",
}

# What the general table of a dataset of persons is named by, behind the name of the dataset's table.
_GENERAL = "__general"

# What a contract may say of columns that it does not know (`jobs.reading.shape`).
EXTRA_COLUMNS = ("evolve", "freeze", "refuse")

# Words that say how a value is written, and the type it is kept in.
_STORED = {"duration": "decimal(6,2)", "year": "int"}


class ContractError(ValueError):
    """A declaration that contradicts itself or the other declarations; names the file and the column."""


@dataclass(frozen=True)
class CodeList:
    """One list of `expectations/codes`: what senders may write, and the code that the lake keeps."""

    name: str
    rows: tuple[Mapping[str, str], ...]

    def spellings(self, column: str | None = None) -> dict[str, str]:
        """Every accepted spelling -> code. With `column`, that standard's codes count instead of ours."""
        table: dict[str, str] = {}
        for row in self.rows:
            if column is None:
                spellings = [row["code"], row["code"].lstrip("0")]
            else:
                spellings = [row[column], row[column].lstrip("0")]
            # A sheet that takes codes for numbers writes 3.0.
            spellings += [f"{word}.0" for word in spellings if word.isdecimal()]
            spellings += [row["meaning_zh"], *row.get("also", "").split("|")]
            for spelling in filter(None, spellings):
                if table.setdefault(fold(spelling), row["code"]) != row["code"]:
                    raise ContractError(f"codes/{self.name}.csv: {spelling!r} stands for two codes")
        return table


@dataclass(frozen=True)
class Column:
    """One column of a contract, its field's description merged in."""

    name: str
    type: str
    zh: str
    en: str
    headings: tuple[str, ...]
    required: bool = False
    unit: str | None = None
    privacy: str = "ordinary"
    codes: str | None = None
    codes_column: str | None = None
    codes_by_site: bool = False
    codes_open: bool = False
    default: str | None = None
    pattern: str | None = None
    check_digit: str | None = None
    ask_outside: tuple[float, float] | None = None
    refuse_outside: tuple[float, float] | None = None
    other_units: tuple[str, ...] = ()

    @property
    def stored_type(self) -> str:
        return _STORED.get(self.type, self.type)

    @property
    def is_personal(self) -> bool:
        return self.privacy != "ordinary"

    def row_rules(self) -> list[tuple[str, str]]:
        """(rule, verdict) of every rule that a row is judged by on this column, as `jobs.judging.judge` names
        them. An unmapped code refuses where the column is part of the key (`Contract.row_rules`); another
        unit is told beside what refuses or flags the value.
        """
        rules: list[tuple[str, str]] = []
        if self.required:
            rules.append(("required", "refuse"))
        if self.type == "string" and not self.pattern:
            rules.append(("formula", "refuse"))
        if self.codes and not self.codes_open:
            rules.append(("unmapped_code", "flag"))
        elif self.type != "string":
            rules.append(("type", "refuse"))
        if self.is_identifier:
            rules.append(("digits_lost", "refuse"))
        if self.pattern:
            rules.append(("pattern", "refuse"))
        if self.check_digit:
            rules.append(("check_digit", "refuse"))
        if self.refuse_outside:
            rules.append(("impossible", "refuse"))
        if self.ask_outside and self.refuse_outside:
            rules.append(("unusual", "flag"))
        if self.unit and units.siblings(self.unit):
            rules.append(("wrong_unit", "flag"))
        if self.other_units:
            rules += [("other_unit", "refuse"), ("other_unit", "flag")]
        return rules

    @property
    def is_identifier(self) -> bool:
        """A number that names a person: a sheet that keeps fifteen digits of it has lost it."""
        return self.check_digit is not None


@dataclass(frozen=True)
class RowRule:
    """One rule over several columns of a row: it holds where `holds` is true or null, an expression of SQL
    over `columns`, `received_date`, `school_year_start` and `term` that fails on no value (`try_cast`, no
    division), in words that Spark and DuckDB share, and `rlike`. The first of `columns` is named in the
    reason.
    """

    name: str
    columns: tuple[str, ...]
    holds: str
    zh: str
    en: str
    fix_zh: str
    verdict: str = "flag"

    @property
    def reason(self) -> str:
        return f"{self.columns[0]}:{self.name}"


@dataclass(frozen=True)
class Contract:
    """One feed dataset: its columns as sent, and the clean table they become."""

    dataset: str
    feed: str
    domain: str
    table: str
    zh: str
    en: str
    grain: str
    sender: str
    delivery: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    scope: tuple[str, ...] = ()
    period: str | None = None
    identity: str | None = None
    person: str = "pupil"
    identity_document: str | None = None
    valid_from: str | None = None
    stated_on: str | None = None
    record_kind: str = "administrative"
    legal_basis: str = ""
    retention_years: int = 30
    extra_columns: str = "evolve"
    absent: tuple[str, ...] = ()
    left_in_raw: tuple[str, ...] = ()
    bounds_by: tuple[str, ...] = ()
    bounds: str | None = None
    rules: tuple[RowRule, ...] = ()
    rows: Mapping[str, float] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def column_rules(self, column: Column) -> list[tuple[str, str]]:
        """(rule, verdict) on one column: its own, and the form of a resident card's number where a number is
        asked for beside the kind of document.
        """
        rules = column.row_rules()
        kinds = {c.name for c in self.columns}
        if column.check_digit == "resident_id" and column.required and "id_document_type_code" in kinds:
            rules.append(("pattern", "refuse"))
        return rules

    def row_rules(self) -> list[tuple[str, str, str]]:
        """(column, rule, verdict) of every rule that a row is judged by; the declaration's side of what
        `jobs.judging.judge` makes.
        """
        told = []
        for column in self.columns:
            for rule, verdict in self.column_rules(column):
                in_key = rule == "unmapped_code" and column.name in self.key
                told.append((column.name, rule, "refuse" if in_key else verdict))
        told += [(rule.columns[0], rule.name, rule.verdict) for rule in self.rules]
        return [*told, ("operation", "unmapped_code", "refuse"), (self.key[0], "repeated_key", "refuse")]

    @property
    def person_key(self) -> str | None:
        """The column that stands for the person of a row, or None where a row is no person's."""
        return f"{self.person}_key" if self.identity else None

    def clean_columns(self) -> dict[str, str]:
        """Name -> type of the clean table, in order: no direct identifier, then what every statement has."""
        own: dict[str, str] = {self.person_key: "string"} if self.person_key else {}
        if self.identity_document:
            own |= {"document_key": "string", "pupil_number_kind": "string"}
        if self.sender == "school":
            own["school_code"] = "string"
        if self.period:
            own["school_year_start"] = "int"
        if self.period == "term":
            own["term"] = "int"
        for column in self.columns:
            if column.privacy != "direct":
                own.setdefault(column.name, column.stored_type)
        return own | STATEMENT_COLUMNS

    @property
    def tables(self) -> tuple[str, ...]:
        """The clean table, and the general one where the dataset is parted."""
        return (self.table, self.general_table) if self.general_table else (self.table,)

    @property
    def is_parted(self) -> bool:
        """Whether the clean table holds values of persons that are not for everyone who may read the lake: it
        then lies in the restricted zone, and `general_table` beside the others.
        """
        return self.person_key is not None and any(c.privacy in ("quasi", "sensitive") for c in self.columns)

    @property
    def general_table(self) -> str | None:
        """The table of the same rows without those values, or None where the dataset is not parted."""
        return f"{self.table}{_GENERAL}" if self.is_parted else None

    def general_columns(self) -> dict[str, str]:
        """Name -> type of the general table: ordinary columns, the key, and what a statement is followed by.
        Flags and unmapped codes tell of the other columns, so they stay with them.
        """
        kept = {c.name for c in self.columns if not c.is_personal} | {*self.key, *STATEMENT_COLUMNS}
        kept |= {"school_code", "school_year_start", "term"}
        return {
            name: kind
            for name, kind in self.clean_columns().items()
            if (name in kept or name == self.person_key) and name not in ("flags", "unmapped")
        }

    def match(self, cells: Iterable[str]) -> dict[str, int] | None:
        """Column -> position in this header row, or None where a required column has no heading here.

        A heading is compared without brackets, units, blanks and width; `姓名@2` names the second column
        headed 姓名. Where one heading could name two columns, the column that lists it first in its headings
        takes it. A heading of `absent` tells that the file is another dataset.
        """
        cells = list(cells)
        positions = {key: index for index, key in enumerate(_nth_keys(cells))}
        if any(heading_key(heading) in positions for heading in self.absent):
            return None
        found: dict[str, int] = {}
        taken: set[int] = set()
        for rank in range(max(len(c.headings) for c in self.columns)):
            for column in self.columns:
                if column.name in found or rank >= len(column.headings):
                    continue
                at = positions.get(heading_key(column.headings[rank]))
                if at is not None and at not in taken:
                    found[column.name] = at
                    taken.add(at)
        needed = {c.name for c in self.columns if c.required}
        if self.delivery != "snapshot" and self.operation_at(cells) >= 0:
            # A withdrawal list holds keys only.
            needed &= self.key_columns()
        return found if needed <= found.keys() else None

    def operation_at(self, cells: Iterable[str]) -> int:
        """Place of the column that says what a line does (`撤销` withdraws its key), or -1."""
        known = {heading_key(heading) for heading in OPERATION_HEADINGS}
        return next((index for index, cell in enumerate(cells) if heading_key(cell) in known), -1)

    def key_columns(self) -> set[str]:
        """The columns as sent from which a line's key is made."""
        own = {c.name for c in self.columns}
        named = {self.identity if name == self.person_key else name for name in self.key}
        return {name for name in named if name in own}

    def missing(self, cells: Iterable[str]) -> list[str]:
        """The Chinese names of required columns that this header row lacks."""
        keys = {heading_key(cell) for cell in cells}
        return [c.zh for c in self.columns if c.required and not keys & {heading_key(h) for h in c.headings}]

    def absentees(self, positions: Mapping[str, int]) -> list[str]:
        """Our names of columns that a header does not have; a required one among them is no match at all."""
        return [c.name for c in self.columns if c.name not in positions]

    def strangers(self, header: Sequence[str], positions: Mapping[str, int]) -> list[str]:
        """Headings that the contract does not know, as sent: neither a column's nor `left_in_raw`."""
        known = {heading_key(h) for h in (*self.left_in_raw, *OPERATION_HEADINGS)}
        taken = set(positions.values())
        keys = _nth_keys(header)
        return [
            cell.strip()
            for index, (cell, key) in enumerate(zip(header, keys, strict=True))
            if cell.strip() and index not in taken and key not in known
        ]

    def factors(self, header: Sequence[str], positions: Mapping[str, int]) -> dict[str, float]:
        """Column -> what its numbers are multiplied by, for each whose heading names a unit; -1 for a unit of
        another kind (a height in kilograms).
        """
        found = {}
        for column in self.columns:
            written = units.heading_unit(header[positions[column.name]]) if column.name in positions else None
            if written and column.unit and units.siblings(column.unit):
                size = units.factor(written, column.unit)
                found[column.name] = -1.0 if size is None else size
        return found


def _nth_keys(cells: Iterable[str]) -> Iterator[str]:
    """Each heading as it is compared; the second of one name with `@2` behind it."""
    seen: dict[str, int] = {}
    for cell in cells:
        key = heading_key(cell)
        seen[key] = seen.get(key, 0) + 1
        yield key if seen[key] == 1 else f"{key}@{seen[key]}"


def fold(text: str) -> str:
    """A value as rules compare it: full-width characters narrowed, no outer blanks or leading apostrophe."""
    return unicodedata.normalize("NFKC", text).strip().lstrip("'").strip()


_BRACKETS = re.compile(r"[(\[【（〔<《].*?[)\]】）〕>》]")


def heading_key(text: str) -> str:
    """A heading as it is compared: `身高（cm)` and `身高` are one."""
    narrow = unicodedata.normalize("NFKC", str(text)).lower()
    narrow = units.without_unit(_BRACKETS.sub("", narrow) or narrow)
    return re.sub(r"[\s*×x_/\\:;,.、。\-#]+", "", narrow)


@cache
def code_list(name: str) -> CodeList:
    path = EXPECTATIONS / "codes" / f"{name}.csv"
    if not path.is_file():
        raise ContractError(f"there is no code list {path.name}")
    with path.open(encoding="utf-8", newline="") as lines:
        return CodeList(name, tuple(csv.DictReader(lines)))


@cache
def load() -> dict[str, Contract]:
    """Dataset -> contract, all of `expectations/contracts`. Raises ContractError with file and column."""
    fields = yaml.safe_load((EXPECTATIONS / "fields.yaml").read_text(encoding="utf-8"))
    return {
        path.stem: _contract(path, fields) for path in sorted((EXPECTATIONS / "contracts").glob("*.yaml"))
    }


def datasets_of(feed: str) -> list[Contract]:
    """The contracts of one feed, by name."""
    return [contract for contract in load().values() if contract.feed == feed]


def _contract(path: Path, fields: Mapping[str, Mapping[str, Any]]) -> Contract:
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    columns = []
    for name, own in declared.pop("columns").items():
        if name not in fields:
            raise ContractError(f"{path.name}: column {name} is not in fields.yaml")
        columns.append(_column(path, name, {**fields[name], **(own or {})}))
    for key in ("key", "scope", "absent", "left_in_raw", "bounds_by"):
        declared[key] = tuple(declared.get(key, ()))
    declared["rules"] = tuple(_row_rule(path, entry, columns) for entry in declared.get("rules", ()))
    reasons = [rule.reason for rule in declared["rules"]]
    if len(set(reasons)) < len(reasons):
        raise ContractError(f"{path.name}: two rules of one name on one column: {sorted(reasons)}")
    try:
        contract = Contract(dataset=path.stem, columns=tuple(columns), **declared)
    except TypeError as error:
        raise ContractError(f"{path.name}: {error}") from error
    if contract.extra_columns not in EXTRA_COLUMNS:
        raise ContractError(
            f"{path.name}: extra_columns {contract.extra_columns!r}: {', '.join(EXTRA_COLUMNS)}"
        )
    clean = contract.clean_columns()
    unknown = [k for k in contract.key if k not in clean]
    if bool(contract.bounds) != bool(contract.bounds_by) or set(contract.bounds_by) - clean.keys():
        raise ContractError(f"{path.name}: bounds {contract.bounds} by {list(contract.bounds_by)}")
    if unknown:
        raise ContractError(f"{path.name}: key {unknown} is not a column of the clean table")
    return contract


def _row_rule(path: Path, entry: dict[str, Any], columns: Sequence[Column]) -> RowRule:
    try:
        rule = RowRule(**{**entry, "columns": tuple(entry["columns"])})
    except (TypeError, KeyError) as error:
        raise ContractError(f"{path.name}: rule {entry.get('name')}: {error}") from error
    unknown = set(rule.columns) - {c.name for c in columns}
    if unknown or rule.verdict not in {"flag", "refuse"}:
        raise ContractError(f"{path.name}: rule {rule.name}: {sorted(unknown) or rule.verdict} is not known")
    return rule


def _column(path: Path, name: str, merged: dict[str, Any]) -> Column:
    for bounds in ("ask_outside", "refuse_outside"):
        if bounds in merged:
            merged[bounds] = tuple(merged[bounds])
    merged["other_units"] = tuple(merged.get("other_units", ()))
    own, other = merged.get("unit"), merged["other_units"]
    if other and not (merged.get("ask_outside") and set(other) <= units.siblings(own).keys()):
        raise ContractError(f"{path.name}: column {name}: other units {other} of {own}")
    merged["headings"] = tuple(str(h) for h in merged["headings"])
    try:
        return Column(name=name, **merged)
    except TypeError as error:
        raise ContractError(f"{path.name}: column {name}: {error}") from error


# One word of ours in three systems' types.
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "bool": pa.bool_(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}
_SPARK = {"bool": "boolean"}
_DUCKDB = {
    "string": "varchar",
    "int": "integer",
    "bool": "boolean",
    "timestamp": "timestamptz",
    "array<string>": "varchar[]",
}


def arrow_type(kind: str) -> pa.DataType:
    """Our type word as an Arrow type; `decimal(p,s)` too. Raises ContractError for an unknown word."""
    decimal = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if kind not in _ARROW:
        raise ContractError(f"unknown type {kind!r}")
    return _ARROW[kind]


def spark_type(kind: str) -> str:
    return _SPARK.get(kind, kind)


def duckdb_type(kind: str) -> str:
    return _DUCKDB.get(kind, kind)


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """An Arrow schema of name -> type word."""
    return pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])


def spark_ddl(columns: Mapping[str, str]) -> str:
    """The same as a Spark schema string."""
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns.items())


@cache
def made_declarations() -> dict[str, dict[str, Any]]:
    """Table -> its declaration, of the tables that the lake itself makes (`expectations/tables/`)."""
    declared: dict[str, dict[str, Any]] = {}
    for path in sorted((EXPECTATIONS / "tables").glob("*.yaml")):
        declared |= yaml.safe_load(path.read_text(encoding="utf-8"))
    return declared


@cache
def made_tables() -> dict[str, dict[str, str]]:
    """Table -> column -> type word, of the tables that the lake itself makes."""
    return {
        table: {name: words[0] for name, words in entry["columns"].items()}
        for table, entry in made_declarations().items()
    }


def table_columns(table: str) -> dict[str, str]:
    """Column -> type word of any clean, decision or ops table. Raises ContractError for a table nobody
    declares.
    """
    for contract in load().values():
        if contract.table == table:
            return contract.clean_columns()
        if contract.general_table == table:
            return contract.general_columns()
    if table in made_tables():
        return made_tables()[table]
    raise ContractError(f"no declaration of table {table}")


def all_tables() -> list[str]:
    """Every declared table but the raw ones: clean, general, decision, ops."""
    general = (c.general_table for c in load().values() if c.general_table)
    return [*(c.table for c in load().values()), *general, *made_tables()]


def statements_of(table: str) -> Contract | None:
    """The contract by whose history a table of statements is read, or None for another table."""
    dataset = STATEMENTS_OF.get(table)
    return load()[dataset] if dataset else next((c for c in load().values() if table in c.tables), None)


def is_restricted(table: str) -> bool:
    """Whether rows of persons stand in it, with values that are not for everyone who may read the lake."""
    contract = statements_of(table)
    return contract is not None and contract.is_parted and table != contract.general_table
