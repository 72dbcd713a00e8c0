"""Rules in the words of the people who must act on them: what is asked, what is wrong, how to put it right.

The sentences are in `words.yaml`. What stands in their braces is made here from the declaration (bounds,
codes, patterns, units), so a changed bound changes what senders are told. No text ever holds a value of a
row, a pattern as declared, or a name of ours for a column or a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from jobs.declare import across, bounds, codes, headings, shapes
from jobs.declare.headings import STATING, WITHDRAWING, heading_key
from jobs.declare.model import Column, Contract, RowRule
from jobs.files import parse_yaml

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

# The template's sheets to which senders are sent: of code lists, of bounds that depend on other columns.
CODES_SHEET, BOUNDS_SHEET = "代码表", "分组范围"

# A longer list of codes is named, not printed.
_CODES_SHOWN = 20

# Column type -> what it is called, and how it is written.
_TYPES: dict[str, dict[Language, tuple[str, str]]] = {
    "int": {
        "zh": ("整数", "请只填整数, 例如 35, 不要带单位、文字或小数"),
        "en": (
            "a whole number",
            "Enter a whole number only, for example 35, without unit, text or decimals.",
        ),
    },
    "bool": {
        "zh": ("是或否", "请填“是”或“否” (也可填 1 或 0)"),
        "en": ("yes or no", "Enter 是 (yes) or 否 (no); 1 and 0 are taken as well."),
    },
    "date": {
        "zh": ("日期", "请写成 2025-09-01、20250901 或 2025年9月1日"),
        "en": ("a date", "Write it as 2025-09-01 or 20250901."),
    },
    "year": {
        "zh": ("年份或学年", "请写成 2025 或 2025-2026"),
        "en": ("a year or a school year", "Write it as 2025 or 2025-2026."),
    },
    "month": {
        "zh": ("年月", "请写成 202509、2025-09 或 2025年9月"),
        "en": ("a month", "Write it as 202509 or 2025-09."),
    },
    "duration": {
        "zh": ("用时 (分、秒)", "请写成 3'45\" 或 3:45, 秒数小于 60"),
        "en": ("a time in minutes and seconds", "Write it as 3'45\" or 3:45, with less than 60 seconds."),
    },
    "timestamp": {
        "zh": ("日期和时刻", "请写成 2025-09-01 08:30"),
        "en": ("a date and time of day", "Write it as 2025-09-01 08:30."),
    },
    "string": {
        "zh": ("文字", "请按表头要求填写"),
        "en": ("text", "Enter what the heading asks for."),
    },
}
_NUMBER: dict[Language, tuple[str, str]] = {
    "zh": ("数字", "请只填数字{of_unit}, 例如 12.5, 不要带单位或文字"),
    "en": ("a number", "Enter a number only{of_unit}, for example 12.5, without unit or text."),
}

# Units of counts, and how Chinese says them: the heading says what is counted.
_COUNTED = {
    **dict.fromkeys(("pupils", "persons", "births"), "人"),
    **dict.fromkeys(("places", "count", "degrees"), "个"),
    **{"classes": "班", "campuses": "处", "computers": "台", "rooms": "间", "homes": "户", "volumes": "册"},
    **dict.fromkeys(("times", "uses"), "次"),
}
_UNITS_ZH = {**_COUNTED, "s": "秒", "min": "分钟", "h": "小时", "m2": "平方米", "yuan": "元", "degree": "度"}


@dataclass(frozen=True)
class Text:
    """One text in both languages."""

    zh: str
    en: str

    def label(self, language: Language) -> str:
        """Return it as a short name: Chinese, or Chinese and English side by side."""
        return self.zh if language == "zh" else f"{self.zh} {self.en}"

    def told(self, language: Language) -> str:
        """Return the text as a site of this language tells it: Chinese, or English with the Chinese below."""
        return self.zh if language == "zh" else f"{self.en}\n{self.zh}"


@dataclass(frozen=True)
class Explanation:
    """One rule on one column: what is asked, what is wrong, what to do."""

    asked: Text
    wrong: Text
    do: Text


def explain(contract: Contract, column_name: str, rule: str, *, is_refused: bool) -> Explanation:
    """The explanation of a reason `column:rule` as `jobs.judging.judge` writes them.

    A rule that nobody has put into words still says which column, and to whom to turn.
    """
    own = next((r for r in contract.rules if (r.columns[0], r.name) == (column_name, rule)), None)
    name = _name(contract, column_name, rule, own)
    column = next((c for c in contract.columns if c.name == column_name), None)
    filled = {language: _fill(contract, column_name, column, own, language) for language in LANGUAGES}
    said = sentences()[name]
    do = "do" if is_refused else "do_doubtful"

    def text(part: str) -> Text:
        return Text(*(said[part][language].format_map(filled[language]) for language in LANGUAGES))

    return Explanation(text("asked"), text("wrong"), text(do if do in said else "do"))


def has_words(contract: Contract, column_name: str, rule: str) -> bool:
    """Whether a rule is explained in words of its own."""
    own = next((r for r in contract.rules if (r.columns[0], r.name) == (column_name, rule)), None)
    return _name(contract, column_name, rule, own) != "any_other"


@cache
def sentences() -> Mapping[str, Mapping[str, Mapping[Language, str]]]:
    """Return rule -> part -> language -> sentence, with what is filled in in braces."""
    found: dict[str, dict[str, dict[Language, str]]] = parse_yaml(
        Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    )
    return found


def _name(contract: Contract, column_name: str, rule: str, own: RowRule | None) -> str:
    if own is not None:
        return "of_columns"
    if column_name == "operation":
        return "operation"
    is_known = rule in sentences() and (
        rule not in _OF_A_COLUMN or any(c.name == column_name for c in contract.columns)
    )
    return rule if is_known else "any_other"


_OF_A_COLUMN = {
    *("required", "type", "pattern", "check_digit", "digits_lost", "placeholder", "wrong_unit"),
    "forgotten",
    *("impossible", "unusual", "other_unit", "unmapped_code", "formula", "became_date"),
    *("became_number", "grade_differs", "no_result", "month_unclear", "card_form"),
}


def _fill(
    contract: Contract, column_name: str, column: Column | None, own: RowRule | None, language: Language
) -> dict[str, str]:
    """What stands in the braces of the sentences, in one language."""
    listed = shapes.LISTED[language]
    filled = {
        "column": _name_of(contract, column_name, language),
        "key": listed.join(_name_of(contract, name, language) for name in contract.key),
        "operations": listed.join(word for word in (*STATING, *WITHDRAWING) if not word.isascii()),
    }
    if own is not None:
        filled |= {
            "holds": own.zh if language == "zh" else own.en,
            "fix": own.fix_zh,
            "columns": listed.join(_name_of(contract, name, language) for name in own.columns),
        }
    return filled | (_fill_of(contract, column, language) if column else {})


def _fill_of(contract: Contract, column: Column, language: Language) -> dict[str, str]:
    is_zh = language == "zh"
    shape = shapes.pattern_words(column.pattern or "[0-9]{17}[0-9X]", language)
    unit = _unit(column, language)
    of_unit = (f" (单位 {unit})" if is_zh else f" in {unit}") if _is_measure(column) else ""
    kind, how = _kind(column, language)
    by = shapes.LISTED[language].join(_name_of(contract, name, language) for name in contract.bounds_by)
    has_more = column.name in bounds.columns(contract)
    return {
        "kind": kind,
        "how": how.format(of_unit=of_unit),
        "of_unit": of_unit,
        "unit": unit,
        "other_units": shapes.LISTED[language].join(
            _UNITS_ZH.get(other, other) if is_zh else other for other in column.other_units
        ),
        "heading_with_unit": f"{column.headings[0]}({(*column.other_units, column.unit)[0]})",
        "shape": shape,
        "long_number": _long_number(column, language),
        "bounds": _bounds(column.refuse_outside, column, language),
        "usual": _bounds(column.ask_outside, column, language),
        "unit_hint": _unit_hint(column, language),
        "no_nought": _no_nought(column, language),
        "by": (f", 并按{by}另有范围" if is_zh else f", and others by {by}") if has_more else "",
        "by_sheet": _by_sheet(by, language) if has_more else "",
        "codes": _codes(column, language) if column.codes else "",
        "expected": _expected(column, shape, language),
        "or_blank": "" if column.required else (", 没有证件的请留空" if is_zh else ", or leave it blank"),
    }


def _by_sheet(by: str, language: Language) -> str:
    if language == "zh":
        return f"; 按{by}的范围见报送模板的工作表“{BOUNDS_SHEET}”"
    return f" The ranges by {by} are in the template's sheet “{BOUNDS_SHEET}”."


def _long_number(column: Column, language: Language) -> str:
    if column.privacy != "direct" and not re.search(r"\{1\d\}", column.pattern or ""):
        return ""
    if language == "zh":
        return "; 电子表格会把长号码变成科学计数而丢失末位, 请先把该列设为“文本”再重新录入"
    return (
        " A spreadsheet turns long numbers into 1.2E+17 and loses their last digits:"
        " format the column as text before you enter them again."
    )


def _kind(column: Column, language: Language) -> tuple[str, str]:
    if column.type.startswith("decimal") or column.type == "double":
        return _NUMBER[language]
    return _TYPES.get(column.type, _TYPES["string"])[language]


def _unit(column: Column, language: Language) -> str:
    unit = column.unit or ""
    return _UNITS_ZH.get(unit, unit) if language == "zh" else unit


def _is_measure(column: Column) -> bool:
    return bool(column.unit) and column.unit not in _COUNTED


def _bounds(found: tuple[float, float] | None, column: Column, language: Language) -> str:
    if found is None:
        return "规定范围" if language == "zh" else "the bounds of the template"
    unit = f" {_unit(column, language)}" if _is_measure(column) else ""
    between = " 至 " if language == "zh" else " to "
    return f"{found[0]:.15g}{between}{found[1]:.15g}{unit}"


def _unit_hint(column: Column, language: Language) -> str:
    others: dict[str, dict[Language, tuple[str, str]]] = {
        "cm": {"zh": ("厘米", "米"), "en": ("centimeters", "meters")},
        "kg": {"zh": ("公斤", "斤"), "en": ("kilograms", "pounds or jin")},
        "ml": {"zh": ("毫升", "升"), "en": ("milliliters", "liters")},
    }
    if column.unit not in others:
        return ""
    this, other = others[column.unit][language]
    return f"; 单位是{this}, 不是{other}" if language == "zh" else f"; the unit is {this}, not {other}"


def _no_nought(column: Column, language: Language) -> str:
    low = column.refuse_outside[0] if column.refuse_outside else 0
    if not (column.no_result and low > 0):
        return ""
    return (
        "; 没有成绩的请留空, 不要填 0"
        if language == "zh"
        else " Leave it blank where there is no result; 0 is one."
    )


def _codes(column: Column, language: Language) -> str:
    rows = codes.listed(column)
    if len(rows) > _CODES_SHOWN:
        if language == "zh":
            return f"共 {len(rows)} 项, 见报送模板的工作表“{CODES_SHEET}”"
        return f"{len(rows)} of them stand in the template's sheet “{CODES_SHEET}”"
    by, meaning = column.codes_column or "code", f"meaning_{language}"
    shown = [(row.get(by) or row["code"], row["meaning_zh"], row.get(meaning)) for row in rows]
    # A word of ours is no code that a sender knows: its Chinese name is written instead.
    told = ((name if _OUR_WORD.fullmatch(code) else code, said or name) for code, name, said in shown)
    return shapes.LISTED[language].join(code if code == said else f"{code} {said}" for code, said in told)


_OUR_WORD = re.compile("[a-z][a-z_0-9]*")


def _expected(column: Column, shape: str, language: Language) -> str:
    if column.codes and column.type != "bool":
        return f" ({_codes(column, language)})"
    return f" ({shape})" if column.pattern else ""


def _name_of(contract: Contract, name: str, language: Language) -> str:
    return column_zh(contract, name) if language == "zh" else column_en(contract, name)


def column_zh(contract: Contract, name: str) -> str:
    """Our name of a column -> its Chinese name; a pupil's key is what it was made from."""
    column = _column_behind(contract, name)
    return column.zh if column else _MADE.get(name, _ANY).zh


def column_en(contract: Contract, name: str) -> str:
    """Our name of a column -> what it is called in English, with the heading that senders know."""
    column = _column_behind(contract, name)
    if column is None:
        return _MADE.get(name, _ANY).en
    # The rest of the meaning is for the dictionary.
    return f"{re.split('[,:;(]', column.en)[0].strip()} ({column.headings[0]})"


_MADE = {
    "school_year_start": Text("学年", "school year"),
    "term": Text("学期", "term"),
    "school_code": Text("学校标识码", "school code"),
    "operation": Text("操作", "operation"),
}
_ANY = Text("这一列", "this column")


def _column_behind(contract: Contract, name: str) -> Column | None:
    if contract.identity and name == contract.person_key:
        name = contract.identity
    return next((c for c in contract.columns if c.name == name), None)


def heading(contract: Contract, header: list[str], name: str) -> tuple[str, int | None]:
    """A column's heading as the sender wrote it and its place (0-based); our Chinese name and None where the
    file has no such column.
    """
    if contract.identity and name == contract.person_key:
        name = contract.identity
    if name == "operation":
        place = headings.operation_at(header)
        return (header[place].strip(), place) if place >= 0 else ("操作", None)
    if name in contract.wide.values() and (of_value := across.place_of(contract, header)):
        return of_value
    positions = headings.match(contract, header) or {}
    if name not in positions:
        own = next((c for c in contract.columns if c.name == name), None)
        keys = {heading_key(h) for h in own.headings} if own else set()
        at = next((i for i, cell in enumerate(header) if heading_key(cell) in keys), None)
        if at is None:
            return column_zh(contract, name), None
        positions = {name: at}
    return header[positions[name]].strip() or column_zh(contract, name), positions[name]
