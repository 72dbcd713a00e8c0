"""The contracts of `expectations/`, loaded once, and the columns of every table that is declared.

`fields.yaml` describes each column once; a contract names its columns and adds what is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from jobs.declare import units
from jobs.declare.model import Column, Contract, ContractError, RowRule
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

# A table of statements that the lake makes -> the dataset whose history it follows.
STATEMENTS_OF = {
    "decision_fitness__score": "test_result",
    "decision_fitness__recheck_score": "recheck_sample",
}

# What a contract may say about columns that it does not know (`jobs.reading.shape`).
EXTRA_COLUMNS = ("evolve", "freeze", "refuse")

# Which row stands where several senders state one key in their snapshots.
AMONG_SENDERS = ("newest",)


@cache
def load() -> dict[str, Contract]:
    """Dataset -> contract, for all of `expectations/contracts`.

    Raises ContractError, which names file and column.
    """
    described = parse_yaml((EXPECTATIONS / "fields.yaml").read_text(encoding="utf-8"))
    return {
        path.stem: _contract(path, described) for path in sorted((EXPECTATIONS / "contracts").glob("*.yaml"))
    }


def datasets_of(feed: str) -> list[Contract]:
    """The contracts of one feed, by name."""
    return [contract for contract in load().values() if contract.feed == feed]


def _contract(path: Path, described: Mapping[str, Mapping[str, Any]]) -> Contract:
    declared = parse_yaml(path.read_text(encoding="utf-8"))
    columns = []
    for name, own in declared.pop("columns").items():
        if name not in described:
            raise ContractError(f"{path.name}: column {name} is not in fields.yaml")
        columns.append(_column(path, name, {**described[name], **(own or {})}))
    for key in ("key", "scope", "chosen_whole", "absent", "left_in_raw", "bounds_by"):
        declared[key] = tuple(declared.get(key, ()))
    declared["rules"] = tuple(_row_rule(path, entry, columns) for entry in declared.get("rules", ()))
    reasons = [rule.reason for rule in declared["rules"]]
    if len(set(reasons)) < len(reasons):
        raise ContractError(f"{path.name}: two rules of one name on one column: {sorted(reasons)}")
    contract: Contract = _made(
        Contract, path.name, declared | {"dataset": path.stem, "columns": tuple(columns)}
    )
    if contract.extra_columns not in EXTRA_COLUMNS:
        raise ContractError(
            f"{path.name}: extra_columns {contract.extra_columns!r}: {', '.join(EXTRA_COLUMNS)}"
        )
    if contract.among_senders not in (AMONG_SENDERS if contract.delivery == "snapshot" else (None,)):
        raise ContractError(
            f"{path.name}: among_senders {contract.among_senders!r}: a snapshot needs one of"
            f" {', '.join(AMONG_SENDERS)}; of everything else the newest statement stands, whoever sent it"
        )
    if set(contract.chosen_whole) - {*(contract.key if contract.among_senders else ())}:
        raise ContractError(f"{path.name}: chosen_whole {list(contract.chosen_whole)} is no part of the key")
    clean = contract.clean_columns()
    unknown = [k for k in (*contract.key, *contract.period_columns) if k not in clean]
    if bool(contract.bounds) != bool(contract.bounds_by) or set(contract.bounds_by) - clean.keys():
        raise ContractError(f"{path.name}: bounds {contract.bounds} by {list(contract.bounds_by)}")
    if unknown:
        raise ContractError(f"{path.name}: key {unknown} is not a column of the clean table")
    return contract


def _row_rule(path: Path, entry: dict[str, Any], columns: Sequence[Column]) -> RowRule:
    where = f"{path.name}: rule {entry.get('name')}"
    rule: RowRule = _made(RowRule, where, {**entry, "columns": tuple(entry.get("columns", ()))})
    unknown = set(rule.columns) - {c.name for c in columns}
    if unknown or rule.verdict not in {"flag", "refuse"}:
        raise ContractError(f"{path.name}: rule {rule.name}: {sorted(unknown) or rule.verdict} is not known")
    return rule


def _column(path: Path, name: str, merged: dict[str, Any]) -> Column:
    for bounds in ("ask_outside", "refuse_outside"):
        if bounds in merged:
            merged[bounds] = tuple(merged[bounds])
    for listed in ("other_units", "whole"):
        merged[listed] = tuple(merged.get(listed, ()))
    own, other = merged.get("unit"), merged["other_units"]
    if other and not (merged.get("ask_outside") and set(other) <= units.siblings(own).keys()):
        raise ContractError(f"{path.name}: column {name}: other units {other} of {own}")
    merged["headings"] = tuple(str(h) for h in merged["headings"])
    column: Column = _made(Column, f"{path.name}: column {name}", {"name": name, **merged})
    return column


def _made(kind: type[Any], where: str, declared: Mapping[str, Any]) -> Any:
    """A declaration of a kind. Raises ContractError with every key that the kind does not know or lacks."""
    known = {field.name: field for field in fields(kind)}
    missing = [n for n, f in known.items() if n not in declared and MISSING is f.default is f.default_factory]
    unknown = [name for name in declared if name not in known]
    if missing or unknown:
        from jobs.site import nearest

        faults = [f"`{name}` is missing" for name in missing]
        faults += [f"unknown key `{name}`{nearest(name, list(known))}" for name in unknown]
        raise ContractError(f"{where}: {', '.join(faults)}")
    return kind(**declared)


@cache
def made_declarations() -> dict[str, dict[str, Any]]:
    """Table -> declaration, for the tables that the lake itself makes (`expectations/tables/`)."""
    declared: dict[str, dict[str, Any]] = {}
    for path in sorted((EXPECTATIONS / "tables").glob("*.yaml")):
        declared |= parse_yaml(path.read_text(encoding="utf-8"))
    return declared


@cache
def made_tables() -> dict[str, dict[str, str]]:
    """Table -> column -> type word, for the tables that the lake itself makes."""
    return {
        table: {name: words[0] for name, words in entry["columns"].items()}
        for table, entry in made_declarations().items()
    }


def table_columns(table: str) -> dict[str, str]:
    """Column -> type word of a clean, decision or ops table.

    Raises ContractError if the table is not declared.
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
    """The names of all declared tables except the raw ones: clean, general, decision, ops."""
    general = (c.general_table for c in load().values() if c.general_table)
    return [*(c.table for c in load().values()), *general, *made_tables()]


def statements_of(table: str) -> Contract | None:
    """The contract whose history a table of statements follows; None for any other table."""
    dataset = STATEMENTS_OF.get(table)
    return load()[dataset] if dataset else next((c for c in load().values() if table in c.tables), None)


# How a table that the lake makes itself is read at a moment: the newest run's rows (`runs`), the `last` row
# of each key, or `every` row. `history` and `key` of its declaration.
HISTORIES = ("runs", "last", "every")


@dataclass(frozen=True)
class History:
    """How the rows of a table that the lake makes are read at a moment; `kind` is one of HISTORIES."""

    kind: str = "runs"
    key: tuple[str, ...] = ()


def history_of(table: str) -> History:
    """The history of a table without a contract. Raises ContractError for one that contradicts itself."""
    declared = made_declarations()[table]
    history = History(declared.get("history", "runs"), tuple(declared.get("key", ())))
    unknown = set(history.key) - {*declared["columns"]}
    if history.kind not in HISTORIES or bool(history.key) != (history.kind == "last") or unknown:
        raise ContractError(f"{table}: history {history.kind!r} by {list(history.key)}")
    return history


def is_restricted(table: str) -> bool:
    """Whether rows of persons or hidden counts stand in it, which not everyone who reads the lake may see."""
    if made_declarations().get(table, {}).get("restricted", False):
        return True
    contract = statements_of(table)
    return contract is not None and contract.is_parted and table != contract.general_table
