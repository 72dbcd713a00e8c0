"""Numbers of pupils: identity numbers of divisions 99xxxx, which no authority issues, and 学籍号."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.people import DIVISIONS, EPOCH, People

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.int64)
_CHECK = np.frombuffer(b"10X98765432", np.uint8)


def dates_of(days: NDArray[np.int64]) -> list[date]:
    """Days since 1970-01-01 as dates."""
    return [EPOCH + timedelta(days=d) for d in days.tolist()]


def pupil_numbers(people: People, persons: NDArray[np.integer[Any]], year: int, term: int) -> list[str]:
    """The national pupil number as the roll of a term has it, nineteen characters.

    G and the identity number, J where there is no identity card, and in the first autumn of a few L with four
    digits at the end that nobody can check.
    """
    temporary = people.is_temporary[persons] & (people.first_year[persons] == year) & (term == 1)
    marks = np.where(people.has_card[persons], "G", "J").tolist()
    numbers = identity_numbers(people, persons)
    tails = ((people.number[persons].astype(np.int64) * 7919 + 4711) % 10_000).tolist()
    return [
        f"L{number[:14]}{tail:04d}" if is_temporary else mark + number
        for number, mark, is_temporary, tail in zip(numbers, marks, temporary.tolist(), tails, strict=True)
    ]


def identity_numbers(people: People, persons: NDArray[np.integer[Any]]) -> list[str]:
    """Eighteen characters, the last a valid check (GB 11643), in divisions 990000–999999, never issued."""
    return numbers_of(people.number[persons], people.birth[persons], people.is_male[persons])


def numbers_of(
    serial: NDArray[np.integer[Any]], birth: NDArray[np.integer[Any]], is_male: NDArray[np.bool_]
) -> list[str]:
    """The identity number of each serial number (below NUMBERS), day of birth (since 1970-01-01) and sex."""
    sequence, division = np.divmod(serial.astype(np.int64), DIVISIONS)
    stamp = birth.astype("datetime64[D]")
    year = stamp.astype("datetime64[Y]").astype(np.int64) + 1970
    month = stamp.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (stamp - stamp.astype("datetime64[M]")).astype(np.int64) + 1
    parts = [
        (990_000 + division, 6),
        (year * 10_000 + month * 100 + day, 8),
        (sequence * 2 + is_male, 3),
    ]
    digits = np.concatenate(
        [value[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10 for value, width in parts], axis=1
    )
    letters = np.empty((len(serial), 18), np.uint8)
    letters[:, :17] = digits + ord("0")
    letters[:, 17] = _CHECK[digits @ _WEIGHTS % 11]
    return [row.decode("ascii") for row in letters.view("S18").ravel().tolist()]
