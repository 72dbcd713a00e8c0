"""Rules in the words of the people who must act on them: what is asked, what is wrong, how to put it right.

Every text is made from the declaration (bounds, codes, patterns, units), so a changed bound changes what
senders are told. No text ever holds a value of a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from jobs.declare import bounds, headings
from jobs.declare.codes import code_list
from jobs.declare.headings import STATING, WITHDRAWING, heading_key
from jobs.declare.model import DIFFERS, EXAMPLE, NO_DATA, SUM, Column, Contract

# The template's sheet of bounds that depend on other columns.
BOUNDS_SHEET = "分组范围"

# A longer list of codes is named, not printed.
_CODES_SHOWN = 20

_TYPES: dict[str, tuple[str, str]] = {
    "int": ("整数", "请只填整数, 例如 35, 不要带单位、文字或小数"),
    "bool": ("是或否", "请填“是”或“否” (也可填 1 或 0)"),
    "date": ("日期", "请写成 2025-09-01、20250901 或 2025年9月1日"),
    "year": ("年份或学年", "请写成 2025 或 2025-2026"),
    "duration": ("用时 (分、秒)", "请写成 3'45\" 或 3:45, 秒数小于 60"),
    "timestamp": ("日期和时刻", "请写成 2025-09-01 08:30"),
    "string": ("文字", "请按表头要求填写"),
}


@dataclass(frozen=True)
class Explanation:
    """One rule on one column: what is asked, what is wrong, how to put it right; in Chinese."""

    rule_zh: str
    wrong_zh: str
    fix_zh: str


def explain(contract: Contract, column_name: str, rule: str) -> Explanation:
    """The explanation of a reason `column:rule` as `jobs.judging.judge` writes them.

    A rule that nobody has put into words still says which column, and to whom to turn.
    """
    column = next((c for c in contract.columns if c.name == column_name), None)
    if rule == "repeated_key":
        return _repeated(contract)
    if rule in _NO_STATEMENT:
        return _NO_STATEMENT[rule]
    own = next((r for r in contract.rules if (r.columns[0], r.name) == (column_name, rule)), None)
    if own is not None:
        kept = " (已接收, 存疑)" if own.verdict == "flag" else ""
        return Explanation(own.zh, f"同一行的几项互相矛盾: 应当{own.zh}{kept}", own.fix_zh)
    if rule in ("unusual", "impossible") and column_name in bounds.columns(contract):
        return _by_row(contract, column_name, _RULES[rule](contract.column(column_name)))
    if column_name == "operation":
        known = "、".join(word for word in (*STATING, *WITHDRAWING) if not word.isascii())
        return Explanation("操作列的用语", "看不懂这一行要做什么", f"请填写: {known}; 留空表示新增或更正")
    if column is not None and rule in _RULES:
        return _RULES[rule](column)
    name = column.zh if column else column_name
    return Explanation(
        f"规则 {rule}", f"“{name}”不符合规则 {rule}", "请对照报送模板核对; 仍不清楚请与数据管理单位联系"
    )


def has_words(contract: Contract, column_name: str, rule: str) -> bool:
    """Whether a rule is explained in words of its own."""
    own = {(r.columns[0], r.name) for r in contract.rules}
    return rule in _RULES or rule in _NO_STATEMENT or rule == "repeated_key" or (column_name, rule) in own


def _required(column: Column) -> Explanation:
    return Explanation(
        "必填", f"没有填写“{column.zh}”", f"请补填“{column.zh}”{_asked(column)}; “-”“/”“NULL”等同未填"
    )


def _type(column: Column) -> Explanation:
    kind, fix = _type_words(column)
    unit = f", 单位 {column.unit}" if _is_measure(column) else ""
    return Explanation(f"应为{kind}{unit}", f"填写的内容读不成{kind}", fix)


def _pattern(column: Column) -> Explanation:
    shape = pattern_words(column.pattern or "[0-9]{17}[0-9X]")
    fix = f"请按“{shape}”核对"
    if column.privacy == "direct" or re.search(r"\{1\d\}", column.pattern or ""):
        fix += "; 电子表格会把长号码变成科学计数而丢失末位, 请先把该列设为“文本”再重新录入"
    return Explanation(f"格式: {shape}", "位数或字符不符合格式", fix)


def _check_digit(column: Column) -> Explanation:
    return Explanation(
        "末位校验码 (GB 11643)",
        "末位校验码与前17位数字不符, 通常是抄错或换位",
        f"请对照证件或学籍系统逐位核对“{column.zh}”",
    )


def _digits_lost(column: Column) -> Explanation:
    return Explanation(
        "号码完整",
        "电子表格把号码当作数字, 第15位以后的数字已丢失, 无法还原",
        f"请先把“{column.zh}”一列设为“文本”, 再从证件或学籍系统重新录入; 不要在原数字上修改",
    )


def _placeholder(column: Column) -> Explanation:
    instead = "" if column.required else ", 没有证件的请留空"
    return Explanation(
        "不填占位号码",
        "填的是占位号码 (如 00000000、12345678、无), 不能证明是谁",
        f"请填写真实的“{column.zh}”{instead}",
    )


def _wrong_unit(column: Column) -> Explanation:
    return Explanation(
        f"表头单位应为 {column.unit}",
        "表头写的单位不能换算成这一列的单位 (已按默认单位接收, 存疑)",
        f"请核对“{column.zh}”一列的表头, 单位应为 {column.unit} 或可换算的单位",
    )


def _impossible(column: Column) -> Explanation:
    bounds = _bounds(column.refuse_outside, column)
    return Explanation(
        f"可能范围 {bounds}",
        "超出可能范围, 多为单位或小数点错误",
        f"请核对数值与单位, 应在 {bounds} 之间{_unit_hint(column)}",
    )


def _unusual(column: Column) -> Explanation:
    bounds = _bounds(column.ask_outside, column)
    return Explanation(
        f"通常范围 {bounds}",
        "不在通常范围内 (已接收, 存疑)",
        "请核实原始记录: 属实不必改动, 有误请按主键重报更正",
    )


def _other_unit(column: Column) -> Explanation:
    others = "、".join(column.other_units)
    return Explanation(
        f"单位为 {column.unit}, 不是 {others}",
        f"数值超出范围, 而以 {others} 为单位则正常, 可能是单位填错",
        f"属实不必改动; 否则请换算为 {column.unit} 后重报, 或在表头写明单位: "
        f"“{column.headings[0]}({column.other_units[0]})”",
    )


def _by_row(contract: Contract, name: str, said: Explanation) -> Explanation:
    by = "、".join(column_zh(contract, other) for other in contract.bounds_by)
    return Explanation(
        f"{said.rule_zh}, 并按{by}另有范围",
        said.wrong_zh,
        f"{said.fix_zh}; 按{by}的范围见报送模板的工作表“{BOUNDS_SHEET}”",
    )


def _unmapped(column: Column) -> Explanation:
    return Explanation(
        f"代码表“{column.codes}”", "填写的代码或名称不在代码表中", f"请改为代码表中的值: {_codes(column)}"
    )


def _formula(column: Column) -> Explanation:
    return Explanation(
        "应为数值或文字",
        "单元格是没有计算结果的公式",
        "请在 Excel 或 WPS 中打开并保存一次, 或把公式粘贴为数值后重报",
    )


_RULES: dict[str, Callable[[Column], Explanation]] = {
    "required": _required,
    "type": _type,
    "pattern": _pattern,
    "check_digit": _check_digit,
    "digits_lost": _digits_lost,
    "placeholder": _placeholder,
    "wrong_unit": _wrong_unit,
    "other_unit": _other_unit,
    "impossible": _impossible,
    "unusual": _unusual,
    "unmapped_code": _unmapped,
    "formula": _formula,
}


# Rows that are no data, and the row of a unit that does not add up.
_NO_STATEMENT = {
    SUM: Explanation(
        "每行是一个单位或一名学生",
        "这一行是合计、小计或上级单位的汇总, 不是单位, 未计入",
        "不影响其他行, 不必重报; 以后请不要在数据表中写合计行",
    ),
    NO_DATA: Explanation(
        "表头以下每行是一条数据",
        "这一行不是数据 (表尾说明、签字、页码、重复的表头或只有序号), 未计入",
        "不影响其他行, 不必重报; 如果本应是数据, 请补全必填项后重报",
    ),
    EXAMPLE: Explanation(
        "不含模板的示例行",
        "这一行是报送模板自带的示例 (号码、代码为虚构), 未计入",
        "不影响其他行, 不必重报; 以后请删去或覆盖示例行",
    ),
    DIFFERS: Explanation(
        "上级单位的数等于所属单位之和",
        "这一行的单位在同一文件中另有所属单位, 而数不等于所属单位之和, 无法判断以哪个为准",
        "请核对所属单位的各行是否齐全、数是否有误; 合计行不必报送",
    ),
}


def _repeated(contract: Contract) -> Explanation:
    key = "、".join(column_zh(contract, name) for name in contract.key)
    return Explanation(
        f"主键不重复: {key}",
        f"同一批报送中已有“{key}”相同的行, 先出现的一行已接收",
        "请保留正确的一行, 删去重复行; 如要更正, 请在下一批重报",
    )


def column_zh(contract: Contract, name: str) -> str:
    """Our name of a column -> its Chinese name; a pupil's key is what it was made from."""
    if contract.identity and name == contract.person_key:
        name = contract.identity
    made = {"school_year_start": "学年", "term": "学期", "school_code": "学校标识码"}
    return next((c.zh for c in contract.columns if c.name == name), made.get(name, name))


def heading(contract: Contract, header: list[str], name: str) -> tuple[str, int | None]:
    """A column's heading as the sender wrote it and its place (0-based); our Chinese name and None where the
    file has no such column.
    """
    if contract.identity and name == contract.person_key:
        name = contract.identity
    if name == "operation":
        place = headings.operation_at(header)
        return (header[place].strip(), place) if place >= 0 else ("操作", None)
    positions = headings.match(contract, header) or {}
    if name not in positions:
        own = next((c for c in contract.columns if c.name == name), None)
        keys = {heading_key(h) for h in own.headings} if own else set()
        at = next((i for i, cell in enumerate(header) if heading_key(cell) in keys), None)
        if at is None:
            return column_zh(contract, name), None
        positions = {name: at}
    return header[positions[name]].strip() or column_zh(contract, name), positions[name]


def _asked(column: Column) -> str:
    if column.codes and column.type != "bool":
        return f" ({_codes(column)})"
    if column.pattern:
        return f" ({pattern_words(column.pattern)})"
    return ""


def _is_measure(column: Column) -> bool:
    return bool(column.unit) and column.unit not in {
        "pupils",
        "persons",
        "places",
        "classes",
        "count",
        "births",
    }


def _type_words(column: Column) -> tuple[str, str]:
    if column.type.startswith("decimal") or column.type == "double":
        unit = f" (单位 {column.unit})" if _is_measure(column) else ""
        return "数字", f"请只填数字{unit}, 例如 12.5, 不要带单位或文字"
    return _TYPES.get(column.type, _TYPES["string"])


def _bounds(bounds: tuple[float, float] | None, column: Column) -> str:
    if bounds is None:
        return "规定范围"
    unit = f" {column.unit}" if _is_measure(column) else ""
    return f"{bounds[0]:,g} 至 {bounds[1]:,g}{unit}".replace(",", "")


def _unit_hint(column: Column) -> str:
    hints = {"cm": "; 单位是厘米, 不是米", "kg": "; 单位是公斤, 不是斤", "ml": "; 单位是毫升, 不是升"}
    return hints.get(column.unit or "", "")


def _codes(column: Column) -> str:
    rows = code_list(column.codes or "").rows
    if len(rows) > _CODES_SHOWN:
        return f"见代码表“{column.codes}” (共 {len(rows)} 项), 报送模板中附有全部"
    by = column.codes_column or "code"
    shown = [(row.get(by) or row["code"], row["meaning_zh"]) for row in rows]
    return "、".join(f"{code} {meaning}" for code, meaning in shown)


_ATOM = re.compile(r"\[([^\]]+)\]|\(([^()]+)\)|(\\d)|([A-Za-z0-9])")
_COUNT = re.compile(r"\{(\d+)(?:,(\d+))?\}|([?*+])")


def pattern_words(pattern: str) -> str:
    """A declared pattern in words: `[GJL][0-9]{17}[0-9X]` -> `1位 G/J/L, 17位数字, 1位数字或X`.

    What this small reader does not know is given as it is declared.
    """
    at, parts = 0, []
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if not atom:
            return pattern
        at = atom.end()
        count = _COUNT.match(pattern, at)
        if count:
            at = count.end()
        words = _alternatives(atom[2]) if atom[2] else _class_words(atom[1] or atom[3] or atom[4])
        if words is None:
            return pattern
        parts.append(f"{_count_words(count)}{words}")
    return ", ".join(parts)


def _count_words(count: re.Match[str] | None) -> str:
    if count is None:
        return "1位"
    if count[3]:
        return {"?": "至多1位", "*": "任意位", "+": "至少1位"}[count[3]]
    return f"{count[1]}至{count[2]}位" if count[2] else f"{count[1]}位"


def _class_words(inside: str) -> str | None:
    if inside in (r"\d", "0-9"):
        return "数字"
    names = {"0-9": "数字", "A-Z": "大写字母", "a-z": "小写字母"}
    words = []
    for name, zh in names.items():
        if name in inside:
            words.append(zh)
            inside = inside.replace(name, "")
    if "-" in inside or "\\" in inside or "^" in inside:
        return None
    if inside:
        words.append("/".join(inside))
    return ("" if words[0][0] >= "\u4e00" else " ") + "或".join(words)


def _alternatives(inside: str) -> str | None:
    """Two-digit months: `0[1-9]|1[0-2]`; a choice of plain words."""
    if inside == "0[1-9]|1[0-2]":
        return "月份 (01至12)"
    choices = inside.split("|")
    return " " + " 或 ".join(choices) if all(c.isalnum() for c in choices) else None
