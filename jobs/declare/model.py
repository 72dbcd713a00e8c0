"""What a contract is: its columns, its rules, and the clean table that they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.declare import units

# The columns that every statement has after its contract's own.
STATEMENT_COLUMNS: dict[str, str] = {
    "valid_from": "date",
    "valid_to": "date",
    "stated_on": "date",
    "delivery_no": "int",
    "recorded_at": "timestamp",
    "is_withdrawn": "bool",
    "scope_key": "string",
    "flags": "array<string>",
    "sender_code": "string",
    "_delivery_id": "string",
    "_file_sha256": "string",
    "_table": "int",
    "_line_number": "bigint",
    "_batch_id": "string",
}

# Reasons of rows that are no data: they are left aside, and are nobody's mistake (`jobs.judging.aside`).
SUM, NO_DATA, EXAMPLE = "sum_row", "no_data_row", "example_row"
ASIDE = (SUM, NO_DATA, EXAMPLE)

# The reason of the row of a unit that is not the sum of the units below it in the same file.
DIFFERS = "sum_differs"

# In a rule, what stands before a column's name for its text as sent.
WRITTEN = "written_"

# The name of a general table is that of the dataset's table with this ending.
_GENERAL = "__general"

# Type words that say how a value is written -> the type in which it is kept.
_STORED = {"duration": "decimal(6,2)", "year": "int", "month": "string"}


class ContractError(ValueError):
    """A declaration contradicts itself or another one; the message names file and column."""


@dataclass(frozen=True)
class Column:
    """One column of a contract, merged with its field in `fields.yaml`, which explains every key."""

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
    codes_kept: str | None = None
    codes_by_site: bool = False
    codes_open: bool = False
    whole: tuple[str, ...] = ()
    default: str | None = None
    pattern: str | None = None
    check_digit: str | None = None
    ask_outside: tuple[float, float] | None = None
    refuse_outside: tuple[float, float] | None = None
    other_units: tuple[str, ...] = ()
    percent: bool = False
    never_date: bool = False
    class_as: str | None = None
    no_result: bool = False

    @property
    def stored_type(self) -> str:
        return _STORED.get(self.type, self.type)

    @property
    def is_personal(self) -> bool:
        return self.privacy != "ordinary"

    def row_rules(self) -> list[tuple[str, str]]:
        """(rule, verdict) of every rule on this column, under the names that `jobs.judging.judge` uses.

        An unmapped code refuses the row where a number hangs on it, or where the column is part of the key
        (`Contract.row_rules`). The reason `other_unit` stands beside the one that refuses or flags the value.
        """
        rules: list[tuple[str, str]] = []
        if self.required:
            rules.append(("required", "refuse"))
        rules.append(("formula", "refuse"))
        if self.never_date:
            rules.append(("became_date", "refuse"))
        if self.class_as:
            rules += [("became_number", "refuse"), ("grade_differs", "flag")]
        if self.no_result:
            rules.append(("no_result", "flag"))
        if self.type == "month":
            rules.append(("month_unclear", "flag"))
        if self.codes and not self.codes_open:
            rules.append(("unmapped_code", "refuse" if self.needs_code else "flag"))
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
    def needs_code(self) -> bool:
        """Whether a row is judged by its code: without one nothing else in it can be read."""
        return self.codes_kept is not None and self.required

    @property
    def is_identifier(self) -> bool:
        """Whether it is a number that identifies a person; a sheet with fifteen digits has lost it."""
        return self.check_digit is not None


@dataclass(frozen=True)
class RowRule:
    """One rule over several columns of a row: it holds where `holds` is true or null.

    `holds` is an expression of the SQL that DuckDB and Spark share, over `columns`, `received_date`,
    `school_year_start` and `term`; `written_<column>` is a column's text as sent. It fails on no value
    (`try_cast`, no division by zero). The first of `columns` is named in the reason.
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
    """One dataset of a feed: its columns as sent, and the clean table that they become."""

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
    among_senders: str | None = None
    chosen_whole: tuple[str, ...] = ()
    # A line may name a school of another district than its sender's.
    across_districts: bool = False
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
    sums: Mapping[str, str] = field(default_factory=dict)
    # The column whose values may stand across, as headings, and the column that is stated below them.
    wide: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def column_rules(self, column: Column) -> list[tuple[str, str]]:
        """(rule, verdict) of the rules on one column in this contract.

        Beside its own, the form of a resident card's number is checked where the contract also asks for the
        kind of document; and what is wrong with a number refuses the row that it would name. Beside another
        number that nobody asks for, a miscopied digit is asked about, and costs nobody the row.
        """
        rules = column.row_rules()
        if self.is_beside(column):
            rules = [(rule, "flag" if rule == "check_digit" else verdict) for rule, verdict in rules]
        if column.is_identifier:
            rules.append(("placeholder", "refuse" if column.name == self.identity else "flag"))
        if self.asks_for_card(column):
            if column.required:
                rules.append(("pattern", "refuse"))
            if column.name != self.identity:
                rules.append(("card_form", "flag"))
        return rules

    def is_beside(self, column: Column) -> bool:
        """Whether a number may be left out, because another one names the row."""
        return column.is_identifier and column.name != self.identity and not column.required

    def asks_for_card(self, column: Column) -> bool:
        """Whether a column may hold a resident card's number, and the kind of document stands beside it."""
        return column.check_digit == "resident_id" and "id_document_type_code" in {
            c.name for c in self.columns
        }

    def row_rules(self) -> list[tuple[str, str, str]]:
        """(column, rule, verdict) of every rule on a row: what `jobs.judging.judge` checks."""
        rules = []
        for column in self.columns:
            for rule, verdict in self.column_rules(column):
                in_key = rule == "unmapped_code" and column.name in self.key
                rules.append((column.name, rule, "refuse" if in_key else verdict))
        rules += [(rule.columns[0], rule.name, rule.verdict) for rule in self.rules]
        rules += [(self.key[0], rule, "refuse") for rule in ("repeated_key", "cells_beyond")]
        return [*rules, ("operation", "unmapped_code", "refuse")]

    @property
    def person_key(self) -> str | None:
        """The column with the token of a row's person; None where rows are not about persons."""
        return f"{self.person}_key" if self.identity else None

    def clean_columns(self) -> dict[str, str]:
        """Name -> type of the clean columns, without direct identifiers; STATEMENT_COLUMNS come last."""
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
    def period_columns(self) -> tuple[str, ...]:
        """The columns that say for which term or year a sender's snapshot counts; none where its newest one
        replaces every earlier one.
        """
        found: list[str] = []
        for name in self.scope:
            if name != "sender":
                found += ("school_year_start", "term") if name == "term" else (name,)
        return tuple(found)

    @property
    def tables(self) -> tuple[str, ...]:
        """The clean table, and the general table if there is one."""
        return (self.table, self.general_table) if self.general_table else (self.table,)

    @property
    def is_parted(self) -> bool:
        """Whether the clean table holds quasi-identifiers or sensitive values of persons.

        It then lies in the restricted zone, and `general_table` lies beside the other tables.
        """
        return self.person_key is not None and any(c.privacy in ("quasi", "sensitive") for c in self.columns)

    @property
    def general_table(self) -> str | None:
        """The table of the same rows without those values; None where the dataset has none."""
        return f"{self.table}{_GENERAL}" if self.is_parted else None

    def general_columns(self) -> dict[str, str]:
        """Name -> type of the general table: ordinary columns, the key, and STATEMENT_COLUMNS.

        Flags would tell about the other columns, so they are left out.
        """
        kept = {c.name for c in self.columns if not c.is_personal} | {*self.key, *STATEMENT_COLUMNS}
        kept |= {"school_code", "school_year_start", "term"}
        return {
            name: kind
            for name, kind in self.clean_columns().items()
            if (name in kept or name == self.person_key) and name != "flags"
        }

    def key_columns(self) -> set[str]:
        """The columns, as sent, that make up a line's key."""
        own = {c.name for c in self.columns}
        named = {self.identity if name == self.person_key else name for name in self.key}
        return {name for name in named if name in own}
