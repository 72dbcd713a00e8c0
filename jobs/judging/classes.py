"""Classes as schools write them -> one name: `1班`, `01`, `三(1)班`, `3-1` of grade three are `三年级1班`.

A class is known by its grade and its number; the grade is the row's, or stands in the class's own words. Its
number in the fitness upload (`class_as: number`) is written `1301`. What is no such name is kept as sent: a
school may call its classes as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jobs.declare import Column as Declared
from jobs.declare import Contract, code_list
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col, extracted, replaced

_TENS = "一二三四五六七八九"
_NUMERALS = {
    **{sign: number for number, sign in enumerate(_TENS, 1)},
    **{f"十{sign}": 10 + number for number, sign in enumerate(("", *_TENS))},
    **{f"二十{sign}": 20 + number for number, sign in enumerate(("", *_TENS))},
}
_NUMBER = r"(\d{1,2}|二?十?[一二三四五六七八九]|二?十)"
# Between the parts of a name.
_BETWEEN = r"[\s()\[\]【】〔〕「」“”\"'_.,·、/—–‐-]+"


def with_classes(rows: str, contract: Contract) -> str:
    """Put the one name of each class into its `_value_`; `_odd_<column>` says that its words name another
    grade than the row has.
    """
    grade = next((c for c in contract.columns if c.codes == "grade"), None)
    for column in contract.columns:
        if column.class_as:
            rows = _with_grade(rows, column, grade)
            rows = _named(_parted(rows, column), column)
    return rows


# What a sheet made of a class, so that no one can say which: `5.1` may have been `5.10`, 45717 is 1 March.
_OF_A_SHEET = r"^(\d{1,2}\.1|4\d{4}|0\.\d+|\d+(\.\d+)?%|\d+(\.\d+)?[eE]\+?\d+)$"


def faults(contract: Contract) -> list[tuple[Sql, str]]:
    """(condition, reason) pairs that refuse a row for its class."""
    named = [c.name for c in contract.columns if c.class_as]
    return [(col(f"_text_{name}").matches(_OF_A_SHEET), f"{name}:became_number") for name in named]


def doubts(contract: Contract) -> list[tuple[Sql, str]]:
    """(condition, reason) pairs that flag it."""
    named = [c.name for c in contract.columns if c.class_as]
    return [(col(f"_odd_{name}"), f"{name}:grade_differs") for name in named]


def _with_grade(rows: str, column: Declared, grade: Declared | None) -> str:
    """The row's grade (`_grade`), and whether the class is written as it is kept (`_is_kept`)."""
    kept = grade.codes_kept or "code" if grade else "code"
    listed = code_list("grade").rows
    own = col(f"_value_{grade.name}").cast("varchar") if grade else Sql("null::varchar")
    ours = own if kept == "code" else sql.mapped(own, {r[kept]: r["code"] for r in listed if r[kept]})
    rows = f"select *, {ours.named('_grade')} from ({rows})"
    text = col(f"_text_{column.name}")
    words, form = _class_words(), "([1-9]|[1-9][0-9])班"
    if column.class_as == "number":
        words, form = _class_codes(), "(0[1-9]|[1-9][0-9])"
    begin = sql.mapped(col("_grade"), words)
    is_kept = sql.call("starts_with", text, begin) & text.matches(f"^({_either(words.values())}){form}$")
    return f"select *, {coalesce(is_kept, False).named('_is_kept')} from ({rows})"


def _parted(rows: str, column: Declared) -> str:
    """The words of the grade, its numeral or number, and the class's number; null what is not there."""
    name, text = column.name, col(f"_text_{column.name}")
    arabic = sql.call("translate", replaced(text, r"^(\d{1,15})\.0+$", r"\1"), "①②③④⑤⑥⑦⑧⑨第", "123456789")
    joined = replaced(sql.call("lower", arabic), _BETWEEN, "-")
    # `年级-` and `-班` are no parts, but `一-1` is not 一1.
    bare = replaced(sql.call("trim", joined, "-"), "(年级?|班|^grade|^gr?)-|-(班)", r"\1\2")
    bare = choose((~col("_is_kept"), replaced(bare, r"班$", "")))
    rows = f"select *, {bare.named(f'_bare_{name}')} from ({rows})"
    found = col(f"_bare_{name}")
    worded = rf"^({_either(_words())})-?{_NUMBER}$"
    short = rf"^([{_TENS}])(?:-{_NUMBER}|(\d{{1,2}}))$"
    digits = r"^(\d{1,2})-(\d{1,2})$|^(\d)(\d{2})$|^(\d{2})(\d{2})$"

    def part(pattern: str, *groups: int) -> Sql:
        return coalesce(*(_nullif(extracted(found, pattern, group)) for group in groups))

    alone = part(rf"^{_NUMBER}$", 1)
    parts = {
        f"_word_{name}": part(worded, 1),
        f"_numeral_{name}": part(short, 1),
        f"_digits_{name}": choose((alone.is_null(), part(digits, 1, 3, 5))),
        f"_number_{name}": coalesce(alone, part(worded, 2), part(short, 2, 3), part(digits, 2, 4, 6)),
    }
    named = (choose((found.is_given(), value)).named(key) for key, value in parts.items())
    return f"select *, {', '.join(named)} from ({rows})"


def _named(rows: str, column: Declared) -> str:
    """The class's value out of its parts and the row's grade."""
    name, text = column.name, col(f"_text_{column.name}")
    listed = code_list("grade").rows
    by_word = sql.mapped(col(f"_word_{name}"), _words())
    numeral = sql.mapped(col(f"_numeral_{name}"), {word: str(n) for word, n in _NUMERALS.items()})
    digits = replaced(col(f"_digits_{name}"), "^0", "")
    numbers = sql.mapped(col("_grade"), {r["code"]: f"|{'|'.join(sorted(_numbers(r)))}|" for r in listed})

    def is_of_grade(number: Sql) -> Sql:
        return sql.call("contains", numbers, sql.call("concat", "|", number, "|"))

    by_numeral = choose(
        (col(f"_numeral_{name}").is_null(), None),
        (is_of_grade(numeral), col("_grade")),
        otherwise=sql.mapped(numeral, {str(n): r["code"] for r in listed for n in _year(r)}),
    )
    is_number = col(f"_word_{name}").is_null() & col(f"_numeral_{name}").is_null()
    is_own = is_number & (col(f"_digits_{name}").is_null() | coalesce(is_of_grade(digits), False))
    said = coalesce(by_word, by_numeral)
    of = choose((is_own, col("_grade")), otherwise=said)
    written = col(f"_number_{name}")
    number = coalesce(written.try_cast("int"), sql.mapped(written, _texts(_NUMERALS)).try_cast("int"))
    parts = {f"_of_{name}": of, f"_nth_{name}": choose((number > 0, number)), f"_said_{name}": said}
    named = (choose((written.is_given(), value)).named(key) for key, value in parts.items())
    rows = f"select *, {', '.join(named)} from ({rows})"
    of, nth, said = (col(f"_{part}_{name}") for part in ("of", "nth", "said"))
    if column.class_as == "number":
        joined = Sql(f"({sql.mapped(of, _class_codes())} || lpad({nth}::varchar, 2, '0'))")
    else:
        alone = choose((is_number & col(f"_digits_{name}").is_null(), sql.call("concat", nth, "班")))
        whole = Sql(f"({sql.mapped(of, _class_words())} || {nth} || '班')")
        joined = coalesce(whole, choose((nth.is_given(), alone)))
    as_sent = replaced(text, r"^(\d{1,15})\.0+$", r"\1")
    value = choose((col("_is_kept"), text), (nth.is_given(), coalesce(joined, as_sent)), otherwise=as_sent)
    odd = coalesce((said != col("_grade")) & nth.is_given(), False)
    mended = f"select * exclude (_grade, _is_kept) replace ({value.named(f'_value_{name}')})"
    return f"{mended}, {odd.named(f'_odd_{name}')} from ({rows})"


def _nullif(text: Sql) -> Sql:
    return sql.call("nullif", text, "")


def _texts(table: dict[str, int]) -> dict[str, str]:
    return {key: str(value) for key, value in table.items()}


def _either(words: Iterable[str]) -> str:
    # The longest first: of 初11 the grade is 初1, of 小一1 it is 小一.
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _class_words() -> dict[str, str]:
    """Grade -> what stands before a class's number."""
    return {row["code"]: row["class_zh"] for row in code_list("grade").rows}


def _class_codes() -> dict[str, str]:
    """Grade -> what stands before a class's number in the fitness upload."""
    return {row["code"]: row["fitness_code"] for row in code_list("grade").rows if row["fitness_code"]}


def _words() -> dict[str, str]:
    """Words of grades that may stand before a class's number -> grade.

    One that ends in a digit needs a stroke behind it: `初1-2`, `g7-2`.
    """
    found: dict[str, str] = {}
    for word, code in code_list("grade").loose_spellings().items():
        if word.endswith("年级"):
            found |= {word: code, word.removesuffix("级"): code}
        elif re.fullmatch(r"[^\x00-\x7f]{2,}", word):
            found[word] = code
        elif re.fullmatch(r"(g|gr|grade|[^\x00-\x7f]+)\d+", word):
            found[f"{word}-"] = code
    return found | {word: code for code, word in _class_words().items()}


def _numbers(row: Mapping[str, str]) -> set[str]:
    """By which numbers a grade is called: its school year, its year in its stage, its code in the upload."""
    if not row["jyt_code"]:
        return {row["code"][1:]}
    return {str(int(row["jyt_code"])), row["code"][1:], row["fitness_code"]}


def _year(row: Mapping[str, str]) -> list[int]:
    return [int(row["jyt_code"])] if row["jyt_code"] else []
