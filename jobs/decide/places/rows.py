"""Rows of a frame as named tuples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Each row, its columns as attributes, without the index."""
    return iter(frame.itertuples(index=False))
