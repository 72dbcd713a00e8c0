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

# Asked of files of some datasets alone.
_OF_SIZE, _OF_PERSONS = "rows_fell", "forgotten_lines"


@dataclass(frozen=True)
class Unchecked:
    """One rule that was not checked: its name among ours, and what it asks."""

    name: str
    asked: Text


def of(contract: Contract | None, known: Senders) -> list[Unchecked]:
    """Every rule of the dataset that needs a lake; of a file that is of no dataset, those of any file.

    `known`: the senders as they are known here; free where the sender is not told.
    """
    found = [Unchecked(code, asked) for code, asked in reasons.asked_of_lake().items()]
    if contract is None:
        return [one for one in found if one.name not in (_OF_SIZE, _OF_PERSONS)]
    if not contract.rows.get("least_share_of_last"):
        found = [one for one in found if one.name != _OF_SIZE]
    if not contract.identity:
        found = [one for one in found if one.name != _OF_PERSONS]
    return [*found, *_of_registers(contract, known), *of_relations(contract, relations.load())]


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
