"""Floats as decimals with a fixed number of places, as tables declare them."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd


def tenths(value: float) -> Decimal | None:
    """The value with one decimal place; None for a missing one."""
    return Decimal(f"{value:.1f}") if pd.notna(value) else None


def hundredths(value: float, form: str = "{:.2f}") -> Decimal:
    """The value with as many decimal places as `form` has, two by default."""
    return Decimal(form.format(value))
