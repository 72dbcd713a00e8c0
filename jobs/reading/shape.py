"""What a file's headers say beyond which dataset it is: columns nobody knows, columns left out, units.

The contract decides about unknown columns: `evolve` keeps them in raw, `freeze` leaves them aside, `refuse`
sends the file back; whichever it is, the receipt names them.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobs.declare import Contract, across, headings, reasons
from jobs.reading.isolated import FoundTable


def unknown_columns(contract: Contract, found: Iterable[FoundTable]) -> list[str]:
    """Return the headings as sent that the contract does not know, each once, in the order of the tables."""
    strangers = (h for t in found for h in headings.strangers(contract, t.header, _places(contract, t)))
    return [h for h in dict.fromkeys(strangers) if not _is_across(contract, h)]


def _is_across(contract: Contract, heading: str) -> bool:
    """Whether a heading of a wide form is a value that stands across, or sums them up."""
    return bool(contract.wide) and (
        across.word_of(contract, heading) is not None or across.is_total(contract, heading)
    )


def missing_columns(contract: Contract, found: Iterable[FoundTable]) -> list[str]:
    """Return our names of the optional columns that some table lacks."""
    absent = {name for table in found for name in headings.absentees(contract, _places(contract, table))}
    return [column.name for column in contract.columns if column.name in absent]


def refusal(contract: Contract, unknown: list[str]) -> str | None:
    """Return why a file with unknown columns is sent back; None where its contract takes it."""
    if contract.extra_columns != "refuse" or not unknown:
        return None
    return reasons.text("columns_unknown", dataset=contract.dataset, headings=unknown)


def factors(contract: Contract, table: FoundTable) -> list[float | None]:
    """Return what to multiply each column's numbers by, in the contract's order.

    None where the heading names no unit, -1 where it names a unit of another kind.
    """
    named = headings.factors(contract, table.header, _places(contract, table))
    return [named.get(column.name) for column in contract.columns]


def scaled(contract: Contract, found: Iterable[FoundTable]) -> frozenset[str]:
    """Return the columns that some heading gives in another unit than ours.

    For running times our own unit counts too: a heading in seconds makes a bare number seconds.
    """
    names = [column.name for column in contract.columns]
    durations = {column.name for column in contract.columns if column.type == "duration"}
    return frozenset(
        name
        for table in found
        for name, factor in zip(names, factors(contract, table), strict=True)
        if factor is not None and (factor != 1 or name in durations)
    )


def named(table: FoundTable) -> int:
    """Return how many cells of a line stand up to the last one that has a heading.

    Where a comma split a number in every line, all behind its first part stands in wrong columns.
    """
    if table.split_at is not None:
        return table.split_at + 1
    return next((at for at in range(len(table.header), 0, -1) if table.header[at - 1].strip()), 0)


def widest(table: FoundTable) -> int:
    """Return how many cells a line may have: as many as the heading, or as all lines have.

    Some programs end each line with a delimiter; one line with more cells than the others has been parted.
    """
    return max(table.width, table.narrowest or 0)


def _places(contract: Contract, table: FoundTable) -> dict[str, int]:
    pairs = zip(contract.columns, table.positions, strict=True)
    return {column.name: at for column, at in pairs if at >= 0}
