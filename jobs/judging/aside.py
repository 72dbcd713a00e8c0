"""Rows that are no data: sums, notes and signatures, headings again, the template's own examples.

Such a row is left aside under a reason of its own. It is named to the sender, holds no file back, and never
becomes a unit or a person. What a row looks like is declared in `expectations/no_data.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, reduce
from operator import and_, or_

import pyarrow as pa

from jobs.declare import EXPECTATIONS, Contract, code_list, examples
from jobs.declare import Column as Declared
from jobs.declare.codes import WHOLE
from jobs.declare.model import ASIDE, DIFFERS, EXAMPLE, NO_DATA, SUM
from jobs.files import parse_yaml
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col, lit
from jobs.judging.values import value_of

# Blanks, brackets and strokes around and within a word.
_NOISE = r"[\s\x{3000}()（）\[\]【】〔〕<>《》:：*＊_—–.、。…-]"
_COUNTED = r"[\d,]*[个名人生所校班项元户次台件]*"
_DAY = r"^\d{4}年\d{1,2}月(\d{1,2}日)?$"


@cache
def _words() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = parse_yaml((EXPECTATIONS / "no_data.yaml").read_text(encoding="utf-8"))
    return found


def _either(*lists: str) -> str:
    return "|".join(re.escape(word) for name in lists for word in _words()[name])


def with_aside(rows: str, contract: Contract, files: pa.Table, grade_scheme: str) -> str:
    """Return the query of `rows` with `_refused` and `_flags` as they are for rows that are no data.

    A template's example keeps what else is wrong with it beside its own reason.
    """
    is_refused = col("_refused") != ""
    aside = choose(
        (_is_example(contract, grade_scheme), EXAMPLE),
        (_names_a_sum(contract), SUM),
        (is_refused & _holds_a_sum(), SUM),
        (is_refused & (_is_heading(contract, files) | _is_note(contract) | _is_blank(contract)), NO_DATA),
    )
    rows = f"select *, {aside.named('_aside')} from ({rows})"
    key = contract.key[0]
    refused = choose(
        (col("_aside") == EXAMPLE, sql.call("concat_ws", "|", f"{key}:{EXAMPLE}", _nullif(col("_refused")))),
        (col("_aside").is_given(), sql.call("concat", f"{key}:", col("_aside"))),
        otherwise=col("_refused"),
    )
    flags = choose((col("_aside").is_given(), ""), otherwise=col("_flags"))
    rows = f"select * replace ({refused.named('_refused')}, {flags.named('_flags')}) from ({rows})"
    return _with_sums(rows, contract) if contract.sums else rows


def is_aside(refused: str = "refused") -> str:
    """The condition that a judged row is no data, over its list of reasons."""
    ends = " or ".join(f"ends_with({refused}[1], ':{rule}')" for rule in ASIDE)
    return f"(len({refused}) > 0 and ({ends}))"


def is_example(refused: str = "refused") -> str:
    """The condition that a judged row is one of the template's examples."""
    return f"(len({refused}) > 0 and ends_with({refused}[1], ':{EXAMPLE}'))"


def _nullif(text: Sql) -> Sql:
    return sql.call("nullif", text, "")


def _bare(text: Sql) -> Sql:
    return sql.call("lower", sql.replaced(text, _NOISE, ""))


def _all(conditions: list[Sql]) -> Sql:
    return reduce(and_, conditions, lit(True))


def _any(conditions: list[Sql]) -> Sql:
    return reduce(or_, conditions, lit(False))


# Sums


_SUM = rf"^(.{{0,30}}({_either('sums')})|{_either('sums_alone')}){_COUNTED}$"


def _is_free(column: Declared) -> bool:
    """Whether the column takes any word, so that a sum's name would pass for a unit's."""
    return column.type == "string" and not column.pattern and (column.codes is None or column.codes_open)


def _names_a_sum(contract: Contract) -> Sql:
    """Whether a column that names the row's unit names a sum. Persons are known by their numbers."""
    if contract.identity:
        return lit(False)
    key = contract.key_columns()
    naming = [
        c
        for c in contract.columns
        if _is_free(c) and (c.name in key or (c.required and c.name.endswith(("_name", "_code"))))
    ]
    return _any([_is_sum(col(f"_text_{c.name}"), in_naming_column=True) & ~_is_whole(c) for c in naming])


def _is_whole(column: Declared) -> Sql:
    """Whether the row is of the whole city, in a column where such a row is data (`whole`)."""
    return coalesce(col(f"_value_{column.name}") == WHOLE, False) if column.whole else lit(False)


def _is_sum(text: Sql, *, in_naming_column: bool = False) -> Sql:
    pattern = rf"{_SUM}|^({_either('wholes')}){_COUNTED}$|^其中" if in_naming_column else _SUM
    # Most names hold none of the words: they are looked for before the text is made bare.
    hint = sql.call("lower", text).matches("[计总汇全本均其∑σ]|total|sum|all|wide|average")
    return coalesce(hint & _bare(text).matches(pattern), False)


def _holds_a_sum() -> Sql:
    """Whether any cell of the line is the word for a sum."""
    inner = _is_sum(Sql("cell"))
    return Sql(f"(len(list_filter(cells, lambda cell: {inner})) > 0)")


def _with_sums(rows: str, contract: Contract) -> str:
    """Leave aside the row of a unit whose parts stand in the same file.

    Where the contract names the unit above, such a row must be the sum of the units below it, else it is
    refused: one of the figures is wrong. Without, a unit of no list is a sum where it equals the listed ones,
    or where it is the sender that stands above them.
    """
    place = ['"_delivery_id"', '"_file_sha256"']
    rest = [f'"_value_{name}"' for name in contract.key if name != contract.sums["unit"]]
    parts = _below if "parent" in contract.sums else _listed
    tables, joined, is_sum, differs = parts(contract, place, rest)
    key = contract.key[0]
    refused = (
        f"case when _refused <> '' then _refused when {is_sum} then '{key}:{SUM}'"
        f" when {differs} then '{key}:{DIFFERS}' else _refused end as _refused"
    )
    flags = f"case when _refused = '' and {is_sum} then '' else _flags end as _flags"
    return (
        f"with judged as materialized ({rows}), {tables}"
        f" select judged.* replace ({refused}, {flags}) from judged {joined}"
    )


def _below(contract: Contract, place: list[str], rest: list[str]) -> tuple[str, str, str, str]:
    """Tables, joins and conditions (a sum, differs from its sum) where rows name the unit above theirs."""
    unit, above, value = (f'"_value_{contract.sums[name]}"' for name in ("unit", "parent", "value"))
    tables = (
        f"parts as (select {', '.join([*place, *rest])}, {above} as _above, sum({value}) as _sum"
        f" from judged where _refused = '' and {unit} <> {above} group by all),"
        f" uppers as (select distinct {', '.join(place)}, _above as _upper from parts)"
    )
    joined = (
        f"left join uppers on {_same('uppers', place)} and {unit} = _upper"
        f" left join parts on {_same('parts', [*place, *rest])} and {unit} = _above"
    )
    equal = f"{value} = coalesce(_sum, 0)"
    return tables, joined, f"(_upper is not null and {equal})", f"(_upper is not null and not {equal})"


def _listed(contract: Contract, place: list[str], rest: list[str]) -> tuple[str, str, str, str]:
    """The same where a unit's list alone says which units there are."""
    name = contract.sums["unit"]
    value = f'"_value_{contract.sums["value"]}"'
    codes = {row["code"] for row in code_list(contract.column(name).codes or "").rows}
    upper = {word for row in code_list("sender").rows for word in (row["code"], row["meaning_zh"])} - codes
    # No unit has an empty name.
    known, above = (col(f"_value_{name}").is_in(sorted(words) or [""]) for words in (codes, upper))
    tables = (
        f"parts as (select {', '.join([*place, *rest])}, sum({value}) filter ({known}) as _sum,"
        f" count(*) filter ({known}) as _count from judged where _refused = '' group by all)"
    )
    joined = f"left join parts on {_same('parts', [*place, *rest])}"
    is_sum = (
        f"(not {known} and ({above} and _count > 0 or _count >= {_SURELY} and {value} = _sum and _sum > 0))"
    )
    return tables, joined, is_sum, "false"


# Of fewer units than this another one may be the sum by chance.
_SURELY = 3


def _same(table: str, columns: list[str]) -> str:
    return " and ".join(f"judged.{name} = {table}.{name}" for name in columns)


# Notes, headings, blanks


def _given(columns: list[Declared]) -> Sql:
    """How many of the columns have something written."""
    return Sql("(" + " + ".join(f"{col(f'_text_{c.name}').is_given()}::int" for c in columns) + ")")


def _is_note(contract: Contract) -> Sql:
    """Whether the line lacks most that is required, and one of its cells begins like a note.

    A cell that stands alone is a note as well where it can be no key.
    """
    required = [c for c in contract.columns if c.required and c.default is None]
    is_thin = _given(required) * 2 < len(required) + 1
    words = _either("notes")
    label = rf"^.{{0,8}}({words}).{{0,8}}[:：]|^({words})\s*([:：、.。(（\d_]|第|$)|^(第|共)\d+[页张]|^page\d"
    # Strokes and stars around it do not matter; the colon does.
    text = sql.call("lower", sql.replaced(Sql("cell"), r"[\s\x{3000}()（）\[\]【】*＊—–-]", ""))
    begins = text.matches(rf"{label}|{_DAY}")
    noted = Sql(f"(len(list_filter(cells, lambda cell: coalesce({begins}, false))) > 0)")
    return is_thin & (noted | _is_alone(contract))


def _is_alone(contract: Contract) -> Sql:
    """Whether the line has one cell only, which is no value of a key that has a form."""
    key = [contract.column(name) for name in sorted(contract.key_columns())]
    formed = [c for c in key if c.pattern or c.is_identifier]
    free = [c for c in key if c not in formed]
    in_key = _any([col(f"_text_{c.name}").is_given() for c in free])
    in_form = _any([coalesce(col(f"_text_{c.name}").matches(r"\d"), False) for c in formed])
    cells = Sql("list_filter(cells, lambda cell: trim(coalesce(cell, '')) <> '')")
    return (sql.call("len", cells) == 1) & ~in_key & ~in_form


def _is_blank(contract: Contract) -> Sql:
    """Whether nothing is written in any column of the contract, only beside them."""
    return _all([col(f"_text_{c.name}").is_null() for c in contract.columns if c.default is None])


def _is_heading(contract: Contract, files: pa.Table) -> Sql:
    """Whether every cell that is written is its column's heading, as in the header or as declared."""
    own = [c for c in contract.columns if c.default is None]
    is_own = []
    for place, column in enumerate(contract.columns):
        if column not in own:
            continue
        text = col(f"_text_{column.name}")
        known = text.is_in(column.headings)
        if "headings" in files.column_names:
            written = sql.item(Sql("headings"), place)
            parts = sql.call("string_split", written, "/")
            known = known | coalesce((text == written) | sql.call("list_contains", parts, text), False)
        is_own.append(text.is_null() | known)
    return (_given(own) >= 2) & _all(is_own)


# Examples


def _is_example(contract: Contract, grade_scheme: str) -> Sql:
    """Whether the line is one of the template's examples.

    Identifiers that the template made up are nobody's, so one of them is enough. A line without one is an
    example where all that is written is.
    """
    rows = examples.example_rows(contract)
    made_up = [c for c in contract.columns if c.name in contract.key_columns() and examples.is_made_up(c)]
    own = [_is_of(col(f"_text_{c.name}"), sorted({row[c.name] for row in rows})) for c in made_up]
    if any(c.required for c in made_up):
        return coalesce(_any(own), False)
    named = _any([col(f"_text_{c.name}").is_given() for c in made_up])
    found = []
    for row in rows:
        parts = []
        for column in contract.columns:
            text, value = col(f"_text_{column.name}"), col(f"_value_{column.name}")
            if examples.is_made_up(column):
                same = _is_of(text, [row[column.name]])
            else:
                same = value == value_of(column, lit(row[column.name]), grade_scheme)
            parts.append(coalesce(same, False) | (lit(not column.required) & text.is_null()))
        found.append(_all(parts))
    return coalesce(_any(own), False) | (~named & _any(found))


def _is_of(text: Sql, made_up: list[str]) -> Sql:
    """Whether a text is one of the identifiers, however it was typed again: with blanks or commas, in small
    letters, as a number with a decimal, or as one that has lost its last digits.
    """
    bare = sql.call("upper", sql.replaced(sql.replaced(text, r"\.0+$", ""), r"[\s\x{3000},，'’`_-]", ""))
    known = sorted({re.sub(r"[\s,，'’`_-]", "", one).upper() for one in made_up})
    is_one = bare.is_in(known)
    # Fifteen digits are all that a sheet keeps, and six of them the least that it shows.
    lost = {f"{one[0]}\\.?{one[1:6]}\\d{{0,9}}" for one in known if re.fullmatch(r"\d{17}[\dX]", one)}
    if lost:
        is_one |= bare.matches(rf"^({'|'.join(sorted(lost))})(E\+?17|0{{3}})$")
    # Hardly a text begins like one of them.
    begins = sorted({rf"{re.escape(one[0])}\W*{re.escape(one[1])}" for one in known})
    return choose((text.matches(rf"(?i)^\W*(?:{'|'.join(begins)})"), is_one), otherwise=False)
