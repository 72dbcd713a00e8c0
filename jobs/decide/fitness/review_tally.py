"""What the tests need of each class, gathered part by part: some numbers a class, however many pupils.

A tally is made of whole classes with their normal scores; which classes come in which part does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.fitness.review_frame import CLASS_KEY, Floats, Frame

# Name -> one value a class of the part; or a table, whose column `klass` numbers the part's classes.
Tally = dict[str, NDArray[Any] | pd.DataFrame]


class Tallies:
    """The tallies of all classes, in the order of school and class."""

    def __init__(self, keys: pd.DataFrame, arrays: dict[str, NDArray[Any]], tables: dict[str, pd.DataFrame]):
        self.keys, self._arrays, self.tables = keys, arrays, tables

    @property
    def count(self) -> int:
        return len(self.keys)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> Floats:
        return self._arrays[name]

    def said(self, name: str) -> dict[int, str]:
        """The sentences of an array, by class."""
        return {at: text for at, text in enumerate(self._arrays[name].tolist()) if text is not None}

    def codes(self, start: str, end: str) -> list[str]:
        """What stands between the two in the names of arrays, in the order in which they were made."""
        return [
            name[len(start) : len(name) - len(end)]
            for name in self._arrays
            if name.startswith(start) and name.endswith(end)
        ]


def gather(frames: Iterable[Frame], functions: Iterable[Callable[[Frame], Tally]]) -> Tallies:
    """The tallies of all parts together; a part is let go of before the next one is asked for."""
    made = list(functions)
    keys: list[pd.DataFrame] = []
    arrays: dict[str, list[NDArray[Any]]] = {}
    tables: dict[str, list[pd.DataFrame]] = {}
    before = 0
    for frame in frames:
        for function in made:
            for name, found in function(frame).items():
                if isinstance(found, pd.DataFrame):
                    moved = found.assign(klass=found["klass"] + before) if "klass" in found else found
                    tables.setdefault(name, []).append(moved)
                else:
                    arrays.setdefault(name, []).append(found)
        keys.append(frame.keys)
        before += frame.count
    whole = pd.concat(keys, ignore_index=True)
    order = whole.sort_values(CLASS_KEY, kind="stable").index.to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Tallies(
        whole.iloc[order].reset_index(drop=True),
        {name: np.concatenate(parts)[order] for name, parts in arrays.items()},
        {name: _renumbered(pd.concat(parts), place) for name, parts in tables.items()},
    )


def _renumbered(table: pd.DataFrame, place: NDArray[np.int64]) -> pd.DataFrame:
    if "klass" not in table:
        return table
    return table.assign(klass=place[table["klass"].to_numpy()]).sort_values("klass", kind="stable")
