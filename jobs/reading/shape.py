"""What a file's headers say beyond which dataset it is: columns nobody knows, columns left out, units.

The contract decides about unknown columns: `evolve` keeps them in raw, `freeze` leaves them aside, `refuse`
sends the file back; whichever it is, the receipt names them.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobs.declare import Contract, headings
from jobs.reading.isolated import FoundTable


def unknown_columns(contract: Contract, found: Iterable[FoundTable]) -> list[str]:
    """Headings as sent that the contract does not know, each once, in the order of the tables."""
    return list(
        dict.fromkeys(h for t in found for h in headings.strangers(contract, t.header, _places(contract, t)))
    )


def missing_columns(contract: Contract, found: Iterable[FoundTable]) -> list[str]:
    """Our names of the optional columns that some table does not have."""
    absent = {name for table in found for name in headings.absentees(contract, _places(contract, table))}
    return [column.name for column in contract.columns if column.name in absent]


def refusal(contract: Contract, unknown: list[str]) -> str | None:
    """Why a file with unknown columns is sent back, in Chinese; None where its contract takes it."""
    if contract.extra_columns != "refuse" or not unknown:
        return None
    return f"有“{contract.zh}”没有的列: {', '.join(unknown)}。请删去这些列, 或使用报送模板"


def factors(contract: Contract, table: FoundTable) -> list[float | None]:
    """What each column's numbers are multiplied by, in the contract's order; None where the heading names no
    unit, -1 for a unit of another kind.
    """
    told = headings.factors(contract, table.header, _places(contract, table))
    return [told.get(column.name) for column in contract.columns]


def scaled(contract: Contract, found: Iterable[FoundTable]) -> frozenset[str]:
    """Columns that some heading gives in another unit than ours; for running times ours counts too, since it
    says that a bare number is seconds.
    """
    names = [column.name for column in contract.columns]
    durations = {column.name for column in contract.columns if column.type == "duration"}
    return frozenset(
        name
        for table in found
        for name, factor in zip(names, factors(contract, table), strict=True)
        if factor is not None and (factor != 1 or name in durations)
    )


def _places(contract: Contract, table: FoundTable) -> dict[str, int]:
    pairs = zip(contract.columns, table.positions, strict=True)
    return {column.name: at for column, at in pairs if at >= 0}
