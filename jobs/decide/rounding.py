"""Floats as decimals with a fixed number of places, as tables declare them."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from jobs import declare


def tenths(value: float) -> Decimal | None:
    """The value with one decimal place; None for a missing one."""
    return Decimal(f"{value:.1f}") if pd.notna(value) else None


def hundredths(value: float, form: str = "{:.2f}") -> Decimal:
    """The value with as many decimal places as `form` has, two by default."""
    return Decimal(form.format(value))


def exact(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers as the decimals that the table declares."""
    places = {
        name: int(kind.partition(",")[2].rstrip(")"))
        for name, kind in declare.table_columns(table).items()
        if kind.startswith("decimal") and name in rows and pd.api.types.is_numeric_dtype(rows[name])
    }
    return rows.assign(
        **{
            name: pd.Series(
                [Decimal(f"{v:.{digits}f}") if pd.notna(v) else None for v in rows[name]],
                index=rows.index,
                dtype=object,
            )
            for name, digits in places.items()
        }
    )
