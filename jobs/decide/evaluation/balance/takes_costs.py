"""What one unit of each change costs: dated data of ours, or a bureau's own file.

Costs are assumptions (`balance_costs.csv` says which): staff for five years, buildings and devices once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from jobs.decide.evaluation.balance.school_file import number, read_lines, refuse
from jobs.decide.evaluation.balance.special import Number
from jobs.declare import standards
from jobs.settings import UserError

MOVE, ADD = "move", "add"
_FILE = "evaluation/balance_costs"
_NEEDED = ("quantity", "change", "yuan_per_unit")


class Cost(NamedTuple):
    """What changing one quantity costs. `move` is None where nothing can be moved between schools."""

    add: Number
    move: Number | None


def read(on: date, path: Path | None = None) -> dict[str, Cost]:
    """Quantity -> its costs, by our data in force on a day, or by a file with the same columns.

    A file needs quantity, change (`move` between schools, or `add`) and yuan_per_unit; what it leaves out
    stays as ours. Raises UserError with all faults of the file.
    """
    ours = standards.rows(_FILE, on)
    if not ours:
        raise UserError(f"no cost is in force on {on}.", "Give a later day.")
    given = {(row["quantity"], row["change"]): number(row["yuan_per_unit"]) for row in ours}
    known = frozenset(given)
    if path:
        given |= _of_file(path, known)
    return _costs((quantity for quantity, _ in known), given)


def _costs(quantities: Iterable[str], given: Mapping[tuple[str, str], Number | str]) -> dict[str, Cost]:
    found = {}
    for quantity in sorted(set(quantities)):
        add, move = given[quantity, ADD], given.get((quantity, MOVE))
        if isinstance(add, str) or isinstance(move, str):
            raise ValueError(f"a cost of {quantity} is no number")
        found[quantity] = Cost(add, move)
    return found


def _of_file(path: Path, known: frozenset[tuple[str, str]]) -> dict[tuple[str, str], Number]:
    heading, lines = read_lines(path)
    if missing := [name for name in _NEEDED if name not in heading]:
        raise UserError(
            f"{path}, line 1: there is no column {', '.join(missing)}.",
            f"Name the columns in the first line: {','.join(_NEEDED)}",
        )
    found: dict[tuple[str, str], Number] = {}
    faults = []
    for line, cells in lines:
        row = dict(zip(heading, cells, strict=False))
        key = (row["quantity"], row.get("change", ""))
        amount = number(row.get("yuan_per_unit", ""))
        if key not in known:
            faults.append(f"{path}, line {line}: there is no cost of {key[1]!r} {key[0]!r}")
        elif key in found:
            faults.append(f"{path}, line {line}: the cost of {key[1]} {key[0]} stands twice")
        elif isinstance(amount, str) or not amount:
            problem = amount if isinstance(amount, str) else "is nothing: a change costs something"
            faults.append(
                f"{path}, line {line}, column yuan_per_unit: {row.get('yuan_per_unit')!r} {problem}"
            )
        else:
            found[key] = amount
    refuse(faults)
    return found
