"""What only a lake can tell of a file, by name: listed as not checked where a file is judged without one.

Taken from the declarations: relations between files (`relations.yaml`), reasons that compare a file with what
came before (`reasons.yaml`: `of_lake_…`), row rules that ask the registers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from jobs.declare import Contract, reasons, words
from jobs.declare.words import Text
from jobs.ingest import relations
from jobs.judging import of_sender
from jobs.lake.senders import Senders

# Asked of files of some datasets alone, of schools, and of whoever is told.
_OF_SIZE, _OF_PERSONS, _OF_SCHOOLS = "rows_fell", "forgotten_lines", "school_not_registered"
_OF_SENDERS = ("sender_unknown", "sender_not_for_dataset")
# Kinds of relation that a line's own cells decide.
_ALONE = ("entry_year",)


@dataclass(frozen=True)
class Unchecked:
    """One rule that was not checked: its name among ours, and what it asks."""

    name: str
    asked: Text


def of(contract: Contract | None, known: Senders, sender: str | None) -> list[Unchecked]:
    """Every rule of the dataset that needs a lake; of a file that is of no dataset, those of any file.

    `known`: the senders as they are known here. `sender`: None where nobody told it.
    """
    left_out: set[str] = set()
    if sender is not None:
        left_out |= {*_OF_SENDERS, *([] if known.kind(sender) == "school" else [_OF_SCHOOLS])}
    if contract is None or not contract.rows.get("least_share_of_last"):
        left_out.add(_OF_SIZE)
    if contract is None or not contract.identity:
        left_out.add(_OF_PERSONS)
    asked = reasons.asked_of_lake().items()
    found = [Unchecked(code, told) for code, told in asked if code not in left_out]
    if contract is None:
        return found
    of_others = [name for name, one in relations.load().items() if one.kind not in _ALONE]
    return [*found, *_of_registers(contract, known), *of_relations(contract, of_others)]


def of_relations(contract: Contract, names: Collection[str]) -> list[Unchecked]:
    """Those of the relations that are checked for the dataset."""
    return [
        Unchecked(relation.name, Text(relation.zh, relation.en))
        for relation in relations.load().values()
        if relation.name in names and contract.dataset in relation.datasets
    ]


def _of_registers(contract: Contract, known: Senders) -> list[Unchecked]:
    """Row rules that are asked with registers and without them are not."""
    with_registers = replace(known, schools={"": frozenset()})
    if known.is_free:
        with_registers = replace(with_registers, offices=frozenset({""}))
    asked_here = {*_names(of_sender.faults(contract, known))}
    asked = [*dict.fromkeys(_names(of_sender.faults(contract, with_registers)))]
    found = []
    for reason in asked:
        if reason not in asked_here:
            column, _, rule = reason.partition(":")
            said = words.explain(contract, column, rule, is_refused=True)
            name = Text(words.column_zh(contract, column), words.column_en(contract, column))
            found.append(
                Unchecked(reason, Text(f"{name.zh}: {said.asked.zh}", f"{name.en}: {said.asked.en}"))
            )
    return found


def _names(faults: Iterable[tuple[object, str]]) -> list[str]:
    return [reason for _, reason in faults]
