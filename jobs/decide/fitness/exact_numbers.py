"""Arrow columns as exact whole numbers: text, integers and decimals in, never a binary float."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PLACES = 5  # decimals kept; a measurement has one, a value with more than five is a spreadsheet's float
SCALE = 10**PLACES
LARGEST = 10**13  # far outside every possible value, small enough to stay in 64 bits when scaled

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class State(IntEnum):
    """What a cell holds. From NOT_A_NUMBER on, somebody has to correct it."""

    VALUE = 0
    MISSING = 1
    EXEMPT = 2
    DEFERRED = 3
    NOT_A_NUMBER = 4
    TOO_MANY_DECIMALS = 5
    IMPOSSIBLE = 6
    UNKNOWN = 7


class Numbers(NamedTuple):
    """A column: whole numbers of 10^-5 (0 where there is no value) and the state of each cell."""

    scaled: NDArray[np.int64]
    state: NDArray[np.uint8]


def numbers(column: pa.Array | None, length: int, keep_excess: bool = False) -> Numbers:
    """Read a column exactly; an absent column is all missing.

    `keep_excess`: more than five decimals are cut off instead of refused (for a quotient such as BMI).
    Raises TypeError for binary floats: cast them to decimal where their precision is known.
    """
    if column is None or pa.types.is_null(column.type):
        return Numbers(np.zeros(length, np.int64), np.full(length, State.MISSING, np.uint8))
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        scaled, state = by_distinct(column, _parse_number, (0, State.MISSING), (np.int64, np.uint8))
        if keep_excess:
            state[state == State.TOO_MANY_DECIMALS] = State.VALUE
        return Numbers(scaled, state)
    if pa.types.is_integer(kind):
        raw, factor = pc.fill_null(column, 0).cast(pa.int64()).to_numpy(zero_copy_only=False), SCALE
    elif pa.types.is_decimal(kind) and kind.scale <= PLACES:
        raw, factor = decimal_words(column), 10 ** (PLACES - kind.scale)
    else:
        raise TypeError(
            f"a column of {kind} is not exact: give text, integers or decimals of at most {PLACES} places"
        )
    empty = is_null(column)
    scaled = np.where(empty, 0, np.clip(raw, -LARGEST, LARGEST) * factor)
    return Numbers(scaled, np.where(empty, State.MISSING, State.VALUE).astype(np.uint8))


def decimal_words(column: pa.Array) -> NDArray[np.int64]:
    """Unscaled values of a decimal column; those beyond 64 bits come back as the largest integer."""
    if not pa.types.is_decimal128(column.type):
        column = column.cast(pa.decimal128(38, column.type.scale))
    pairs = np.frombuffer(column.buffers()[1], np.int64)[
        2 * column.offset : 2 * (column.offset + len(column))
    ]
    low, high = pairs[0::2], pairs[1::2]
    return np.where(high == low >> 63, low, np.iinfo(np.int64).max)


def decimals(values: NDArray[np.int64], valid: NDArray[np.bool_], precision: int, scale: int) -> pa.Array:
    """A decimal column from its unscaled values."""
    pairs = np.empty((len(values), 2), np.int64)
    pairs[:, 0] = values
    pairs[:, 1] = values >> 63
    buffers = [pa.py_buffer(np.packbits(valid, bitorder="little")), pa.py_buffer(pairs)]
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(values), buffers)


def day_numbers(column: pa.Array) -> Numbers:
    """Days since 1970-01-01 of dates or text like 2025-10-15; blank is MISSING, text that is no date UNKNOWN.

    Raises TypeError for other types: an instant has no day without its time zone.
    """
    if pa.types.is_null(column.type):
        return Numbers(np.zeros(len(column), np.int64), np.full(len(column), State.MISSING, np.uint8))
    if pa.types.is_date(column.type):
        day = pc.fill_null(column.cast(pa.date32()).cast(pa.int32()), 0).to_numpy(zero_copy_only=False)
        state = np.where(is_null(column), State.MISSING, State.VALUE).astype(np.uint8)
        return Numbers(day.astype(np.int64), state)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise TypeError(f"a day cannot be read from {column.type}: give dates or text like 2025-10-15")
    day, state = by_distinct(column, _parse_day, (0, State.MISSING), (np.int64, np.uint8))
    return Numbers(day, state)


def words(column: pa.Array, meaning: Mapping[str, int], unknown: int) -> NDArray[np.uint8]:
    """Text or truth values as small numbers: `meaning` by word, 0 for blank, `unknown` for anything else."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.uint8)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.string())

    def look_up(text: str) -> tuple[int]:
        word = text.strip()
        return (meaning.get(word, unknown) if word else 0,)

    (found,) = by_distinct(column, look_up, (0,), (np.uint8,))
    return found


def is_null(column: pa.Array) -> NDArray[np.bool_]:
    """True where the column has no value."""
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    return column.is_null().to_numpy(zero_copy_only=False)


def by_distinct(
    column: pa.Array, parse: Callable[[str], tuple[Any, ...]], blank: tuple[Any, ...], kinds: tuple[Any, ...]
) -> list[NDArray[Any]]:
    """Parse each distinct text once; null gives `blank`. One array per value that `parse` returns."""
    encoded = column.dictionary_encode()
    parsed = [*(parse(text) for text in encoded.dictionary.to_pylist()), blank]
    at = pc.fill_null(encoded.indices, len(parsed) - 1).to_numpy(zero_copy_only=False)
    return [np.array(values, kind)[at] for values, kind in zip(zip(*parsed, strict=True), kinds, strict=True)]


@lru_cache(maxsize=100_000)
def _parse_number(text: str) -> tuple[int, State]:
    text = text.strip()
    if not text:
        return 0, State.MISSING
    if not _NUMBER.fullmatch(text):
        return 0, State.NOT_A_NUMBER
    numerator, denominator = Decimal(text).as_integer_ratio()
    scaled, rest = divmod(numerator * SCALE, denominator)
    scaled = max(-LARGEST * SCALE, min(scaled, LARGEST * SCALE))
    return scaled, State.TOO_MANY_DECIMALS if rest else State.VALUE


@lru_cache(maxsize=10_000)
def _parse_day(text: str) -> tuple[int, State]:
    text = text.strip()
    if not text:
        return 0, State.MISSING
    try:
        day = date.fromisoformat(text if _ISO_DATE.fullmatch(text) else "")
    except ValueError:
        return 0, State.UNKNOWN
    return (day - date(1970, 1, 1)).days, State.VALUE
