"""Text, integers and decimals as exact whole numbers."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as s

from jobs.decide.fitness.exact_numbers import LARGEST, SCALE, State, day_numbers, decimals, numbers

EXACT = s.decimals(-9999, 9999, allow_nan=False, allow_infinity=False).filter(
    lambda value: value.as_tuple().exponent >= -40  # type: ignore[operator]
)


@given(s.lists(EXACT, min_size=1))
def test_text_is_read_exactly(values: list[Decimal]) -> None:
    texts = [format(value, "f") for value in values]
    scaled, state = numbers(pa.array(texts), len(texts))
    for text, whole, is_inexact in zip(texts, scaled, state == State.TOO_MANY_DECIMALS, strict=True):
        exact = Fraction(text) * SCALE
        assert whole == floor(exact)
        assert is_inexact == (exact.denominator != 1)


@given(s.text(max_size=6))
def test_any_text_is_a_number_blank_or_a_fault(text: str) -> None:
    _, (state,) = numbers(pa.array([text]), 1)
    known = {State.VALUE, State.MISSING, State.NOT_A_NUMBER, State.TOO_MANY_DECIMALS}
    assert state in known
    assert (state == State.MISSING) == (text.strip() == "")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("８.5", State.NOT_A_NUMBER),
        ("1,700", State.NOT_A_NUMBER),
        ("0x10", State.NOT_A_NUMBER),
        ("1_000", State.NOT_A_NUMBER),
        ("inf", State.NOT_A_NUMBER),
        ("1e", State.NOT_A_NUMBER),
        ("+8.50", State.VALUE),
        (".5", State.VALUE),
        ("8.", State.VALUE),
        ("1.7E+3", State.VALUE),
        ("\u30008\t", State.VALUE),
        ("9" * 400, State.VALUE),
    ],
)
def test_what_counts_as_a_number(text: str, state: State) -> None:
    (scaled,), (found,) = numbers(pa.array([text]), 1)
    assert found == state
    assert abs(scaled) <= LARGEST * SCALE


@given(s.lists(s.none() | s.decimals(-999, 999, places=2)))
def test_decimals_come_back_as_they_were(values: list[Decimal | None]) -> None:
    column = pa.array(values, pa.decimal128(7, 2))
    scaled, state = numbers(column, len(column))
    assert decimals(scaled // 1000, state == State.VALUE, 7, 2).equals(column)


def test_decimals_beyond_64_bits_are_large_not_wrong() -> None:
    column = pa.array([Decimal(2**64 + 3), Decimal(7)], pa.decimal128(30, 0))
    assert numbers(column, 2).scaled.tolist() == [LARGEST * SCALE, 7 * SCALE]


def test_wide_and_narrow_decimals_read_alike() -> None:
    values = [Decimal("12.5"), None]
    for kind in (pa.decimal32(7, 2), pa.decimal64(12, 2), pa.decimal128(7, 2), pa.decimal256(50, 2)):
        scaled, state = numbers(pa.array(values, kind), 2)
        assert (scaled.tolist(), state.tolist()) == ([1_250_000, 0], [State.VALUE, State.MISSING])


def test_days_are_read_from_dates_and_text_alike() -> None:
    days = [date(2025, 10, 15), None, date(1969, 12, 31)]
    read = day_numbers(pa.array(days))
    text = day_numbers(pa.array([day and day.isoformat() for day in days]))
    assert read.scaled.tolist() == text.scaled.tolist() == [20376, 0, -1]
    assert read.state.tolist() == text.state.tolist() == [State.VALUE, State.MISSING, State.VALUE]


@pytest.mark.parametrize("text", ["20251015", "2025-W42-3", "2025-02-30", "2025/10/15", "soon"])
def test_only_one_way_to_write_a_day(text: str) -> None:
    assert day_numbers(pa.array([text])).state.tolist() == [State.UNKNOWN]
