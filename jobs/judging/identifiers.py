"""Numbers that name persons: what a sheet left of them, whether they check, whether they name anybody."""

from __future__ import annotations

from jobs.declare import Column as Declared
from jobs.declare import Contract
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col, lit, replaced, substring

# GB 11643: weights of the first seventeen digits, and the check character of each remainder.
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"

# Code of the resident identity card in `expectations/codes/id_document_type.csv`.
_RESIDENT_CARD = "1"

_SHORTEST_DOCUMENT = 6
_CARD = r"^\d{17}[0-9Xx]$"


def faults(contract: Contract, column: Declared) -> list[tuple[Sql, str]]:
    """Why a number that names a person is refused: digits lost in a sheet, a check that does not hold."""
    text, value = col(f"_text_{column.name}"), col(f"_value_{column.name}")
    lost, is_named = is_digits_lost(text), ~coalesce(_is_placeholder(contract, column), False)
    rules = [(lost, f"{column.name}:digits_lost")]
    if column.name == contract.identity:
        rules.append((~is_named, f"{column.name}:placeholder"))
    if column.pattern:
        is_other = is_named & ~lost & ~value.matches(f"^(?:{column.pattern})$")
        rules.append((is_other, f"{column.name}:pattern"))
    if column.check_digit == "pupil_number":
        # A temporary number (L) has no check, and so passes.
        whole = is_named & value.matches(r"^[GJ]\d{17}[0-9X]$")
        return [*rules, (whole & ~is_checked(substring(value, 2, 18)), f"{column.name}:check_digit")]
    whole = text.matches(_CARD)
    if "id_document_type_code" in {c.name for c in contract.columns}:
        kind = col("_value_id_document_type_code")
        if column.required:
            # Where it is not asked for, a word in its place (无) costs nobody the row.
            is_other = is_named & ~lost & (kind == _RESIDENT_CARD) & ~whole
            rules.append((is_other, f"{column.name}:pattern"))
    return rules if contract.is_beside(column) else [*rules, _miscopied(contract, column)]


def _miscopied(contract: Contract, column: Declared) -> tuple[Sql, str]:
    """Whether it is a resident card's number whose check does not hold, and what that is called."""
    text = col(f"_text_{column.name}")
    is_card = text.matches(_CARD) & ~_is_placeholder(contract, column) & ~is_digits_lost(text)
    if "id_document_type_code" in {c.name for c in contract.columns}:
        is_card = is_card & coalesce(col("_value_id_document_type_code") == _RESIDENT_CARD, True)
    return is_card & ~is_checked(sql.call("upper", text)), f"{column.name}:check_digit"


def doubts(contract: Contract, column: Declared) -> list[tuple[Sql, str]]:
    """Why a number beside the row's identity is asked about: it only fills its cell, is no card's number, or
    (where nobody asks for it) is one that does not check.

    A first-generation card has 15 digits; what it lacks to 18 nobody can check.
    """
    if column.name == contract.identity:
        return []
    text = col(f"_text_{column.name}")
    is_placeholder = _is_placeholder(contract, column)
    found = [(is_placeholder, f"{column.name}:placeholder")]
    if contract.is_beside(column):
        found.append(_miscopied(contract, column))
    if contract.asks_for_card(column):
        is_card = coalesce(col("_value_id_document_type_code") == _RESIDENT_CARD, text.matches(r"^\d{15}$"))
        is_other = text.matches(r"\d") & ~text.matches(_CARD) & ~is_placeholder & ~is_digits_lost(text)
        found.append((is_card & is_other, f"{column.name}:card_form"))
    return found


# Blanks and marks that people put into numbers, and what looks like the X at their end.
_WITHIN = r"[\s'’‘`´\"“”]"
_LIKE_X = "×✕✖╳ХхΧχⅩⅹ"
IS_ODD = rf"[{_LIKE_X}]$|[\s'’‘`´\"“”]"


def mended(text: Sql) -> Sql:
    """A number as it was meant: no blanks or marks within it, and an X at its end."""
    bare = replaced(text, _WITHIN, "")
    crossed = replaced(bare, rf"(\d{{17}})[{_LIKE_X}]$", r"\1X")
    is_number = bare.matches(rf"^[A-Za-z]{{0,3}}\d{{5,17}}[\dXx{_LIKE_X}]?$")
    return choose((is_number, crossed), otherwise=text)


def _is_placeholder(contract: Contract, column: Declared) -> Sql:
    """Whether the number only fills its cell. Beside the row's identity a word (无) is a blank."""
    text = col(f"_text_{column.name}")
    is_placeholder = names_nobody(text)
    return is_placeholder if column.name == contract.identity else is_placeholder & text.matches(r"\d")


def document(contract: Contract) -> Sql:
    """The number of an identity document as it is compared; null where it is too short to name anybody."""
    if contract.identity_document is None:
        return lit(None).cast("varchar")
    number = sql.call("upper", replaced(col(f"_text_{contract.identity_document}"), r"[\s-]", ""))
    return choose((sql.call("length", number) >= _SHORTEST_DOCUMENT, number))


def is_digits_lost(text: Sql) -> Sql:
    """Whether a long number went through a sheet's fifteen digits: `1.1E+17`, `110101201501010000`."""
    exponent = text.matches(r"^\d(\.\d+)?[eE]\+?\d{2}$") | text.matches(r"^\d{15,20}\.0+$")
    # Fifteen digits and three zeros, whose check character does not hold.
    cut = text.matches(r"^[1-9]\d{14}000$") & ~is_checked(text)
    return exponent | cut


def names_nobody(number: Sql) -> Sql:
    """Whether what stands in a number's place is a placeholder: a word (无), one digit over and over
    (`00000000`), or digits in a row (`12345678`). The letter of a pupil number does not count.
    """
    plain = sql.call("translate", sql.call("upper", number), " -", "")
    body = sql.call("rtrim", sql.call("ltrim", plain, "GJL"), "X")
    is_one_digit = number.matches(rf"^\D*(?:{'|'.join(rf'(?:{digit}[ -]*)*' for digit in range(10))})\D*$")
    rising, falling = "0123456789" * 3, "9876543210" * 3
    return is_one_digit | sql.call("contains", rising, body) | sql.call("contains", falling, body)


def is_checked(number: Sql) -> Sql:
    """Whether the eighteenth character is the GB 11643 check of the seventeen before it; null where they are
    no digits.
    """
    # The seventeen digits as one number, taken apart by division: one cast a row instead of seventeen.
    digits = substring(number, 1, 17).try_cast("bigint")
    total = sum((digits // 10 ** (17 - i) % 10 * w for i, w in enumerate(WEIGHTS, 1)), sql.lit(0))
    return substring(sql.lit(CHECK), total % 11 + 1, 1) == substring(number, 18, 1)
