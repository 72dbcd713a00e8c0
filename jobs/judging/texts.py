"""A cell as sent -> its text as rules compare it: signs narrow, no blanks around it, nothing unseen.

Every function is one expression over one row. What senders cannot see they cannot put right: it is dropped.
"""

from __future__ import annotations

from jobs.declare import Column as Declared
from jobs.judging import expressions as sql
from jobs.judging import identifiers
from jobs.judging.expressions import Sql, choose, replaced
from jobs.reading.sheet import UNCALCULATED

# Within quotation marks and cells a line may end.
_ENDS = " \t\r\n"


def _signs(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


_WIDE = _signs((0xFF01, 0xFF5E))
# Of Arabic, Persian, Tibetan and Mongolian.
_DIGITS = _signs((0x660, 0x669), (0x6F0, 0x6F9), (0xF20, 0xF29), (0x1810, 0x1819))
_BLANKS = "\u00a0\u1680\u202f\u205f\u3000" + _signs((0x2000, 0x200A))
# Control characters, marks of direction and of joining, byte-order marks, soft hyphens, fillers.
_UNSEEN = "\u00ad\u034f\u061c\u2800\u3164\ufeff\uffa0" + _signs(
    *((0x01, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x9F), (0x115F, 0x1160), (0x180B, 0x180E)),
    *((0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFFF9, 0xFFFB)),
)
_FROM = _WIDE + _DIGITS + _BLANKS + _UNSEEN
_TO = _signs((0x21, 0x7E)) + "0123456789" * 4 + " " * len(_BLANKS)
# Anything but what nearly all cells hold, in ranges that a pattern takes little room for.
_SPECIAL = "[^ -~、-〃〈-】一-鿿]"

# By which programs keep a sheet from counting: ="2101".
_FORMULA_OF_TEXT = r"""^= *(?:"+([^"]*)"+|'+([^']*)'+|([+-]?\d+(?:\.\d+)?))$"""


def narrow(cell: Sql) -> Sql:
    """A cell with plain signs for wide ones, none that nobody sees, and no line break."""
    # Most of what is sent has nothing to narrow, and translating looks at each character.
    whole = choose((cell.matches("[\r\n]"), _unbroken(cell)), otherwise=cell)
    return choose((cell.matches(_SPECIAL), sql.call("translate", whole, _FROM, _TO)), otherwise=cell)


def plain(narrowed: Sql) -> Sql:
    """A narrowed cell without what frames it; of a formula that is nothing but a text, the text."""
    inner = sql.call("trim", sql.call("ltrim", sql.call("trim", narrowed, _ENDS), "'’‘`"), _ENDS)
    text = sql.call("trim", replaced(inner, _FORMULA_OF_TEXT, r"\1\2\3"), _ENDS)
    is_framed = narrowed.matches(r"^[\s'’‘`]|\s$")
    return choose((sql.call("contains", narrowed, "="), text), (is_framed, inner), otherwise=narrowed)


def _unbroken(cell: Sql) -> Sql:
    """A text without the line breaks that only make it fit into its cell: between Chinese characters none."""
    return replaced(replaced(cell, r"([^\x00-\x7f])\s*[\r\n]\s*", r"\1"), r"\s*[\r\n]\s*", " ")


# What is typed for a minus and for a point, beside their own signs and the full-width ones.
_MINUS, _POINTS = "−–—﹣‒‐‑⁻➖", "。｡﹒·・∙⋅"


def is_spelled(column: Declared) -> bool:
    """Whether a column holds numbers or days, which people and programs write in many ways."""
    if column.is_identifier:
        return True
    return not column.codes and (_is_number(column) or column.type in ("duration", "date"))


def _is_number(column: Declared) -> bool:
    return column.type in ("int", "double") or column.type.startswith("decimal")


def spelled(column: Declared, text: Sql) -> Sql:
    """The text of a number as a plain number: signs, points and noise of every kind; other text as it is."""
    if column.is_identifier:
        # Nearly all have the length of a number.
        size, usual = sql.call("strlen", text), 19 if column.check_digit == "pupil_number" else 18
        is_usual = (size == usual) & (size == sql.call("length", text))
        is_odd = text.matches(identifiers.IS_ODD)
        return choose((is_usual, text), (is_odd, identifiers.mended(text)), otherwise=text)
    value = text.try_cast("double")
    # Seventeen digits are the noise of binary arithmetic; a sheet shows fifteen.
    is_noisy = text.matches(r"^[+-]?\d{1,14}\.\d{2,}$") & Sql(f"(length({text}) > 16)")
    is_tiny = text.matches(r"^[+-]?(\d(\.\d+)?[eE]-\d{1,3}|0\.000\d+)$")
    cases: list[tuple[Sql, Sql | sql.Scalar]] = [
        # Nearly all are plain: one look instead of five.
        (text.matches(r"^\d{1,9}(\.\d{1,3})?$"), text),
        (is_tiny, sql.call("printf", "%.18f", value)),
        (is_noisy, sql.call("printf", "%.15g", value)),
    ]
    pointed = _between_digits(text, _POINTS, ".")
    is_ascii = sql.call("strlen", text) == sql.call("length", text)
    if _is_number(column):
        signed = replaced(pointed, rf"^[-{_MINUS}] *", "-")
        led = replaced(signed, rf"^([+-]?)[.{_POINTS}](\d)", r"\10.\2")
        is_odd = text.matches(rf"[{_MINUS}{_POINTS}]|^[+-]?\.|\.$|^- ")
        cases += [
            (is_odd, replaced(led, rf"^([+-]?\d+)[.{_POINTS}]$", r"\1")),
            (text.matches(r"^[+-]?\d{1,3}( \d{3})+(\.\d+)?$"), replaced(text, " ", "")),
        ]
    else:
        dashed = _between_digits(pointed, _MINUS, "-")
        cases += [(is_ascii, text), (text.matches(rf"\d[{_MINUS}{_POINTS}]\d"), dashed)]
    return choose(*cases, otherwise=text)


def _between_digits(text: Sql, signs: str, by: str) -> Sql:
    # Twice: of 9·9·1 the digit in the middle is taken with the first.
    once = replaced(text, rf"(\d)[{signs}](\d)", rf"\1{by}\2")
    return replaced(once, rf"(\d)[{signs}](\d)", rf"\1{by}\2")


# Of sheets in any language: #N/A, #REF!, #NAME?, #SPILL!, #BEZUG!, a column too narrow, Err:502.
_ERROR = r"^(#[^\s#]+[!?]|#N/A|#NV|#GETTING_DATA|#{3,}|ERR:\d{3})$"


def is_error(text: Sql) -> Sql:
    """Whether the text is an error that a sheet shows in place of a result, or stands for a missing one."""
    found = (text == UNCALCULATED) | sql.call("upper", text).matches(_ERROR)
    return Sql(f"(case when {text}[1] in ('#', 'E', 'e') then {found} else false end)")


def is_date(text: Sql) -> Sql:
    """Whether the text is a day, as a sheet makes one of `3-1`."""
    day = r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?( \d{1,2}:.*)?"
    return text.matches(rf"^({day}|\d{{1,2}}月\d{{1,2}}日|\d{{1,2}}-[A-Za-z]{{3}}|[A-Za-z]{{3}}-\d{{1,2}})$")
