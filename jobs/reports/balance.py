"""Balance of compulsory education by the state's standards: verdict, gates, rules, coefficients, schools."""

from __future__ import annotations

from datetime import date

from jobs.declare import missing, standards
from jobs.reports import charts
from jobs.reports.book import NONE, Book, school_year, yes_no
from jobs.reports.model import Block, Chart, Column, Piece, Table
from jobs.reports.scope import STAGE_ORDER, STAGES, Part, Scope, Sentence, notice, word
from jobs.reports.source import Row

VERDICT, RULE, GATE = "fct_balance_verdict", "fct_balance_rule", "pub_balance_gate"
COEFFICIENT, SCHOOL, INDICATOR = (
    "fct_balance_coefficient",
    "fct_balance_school",
    "fct_balance_school_indicator",
)
_QUALITY = "quality_balance_2017"
_STANDARDS = {
    _QUALITY: "义务教育优质均衡（教督〔2017〕6号）",
    "basic_balance_2012": "义务教育基本均衡（教督〔2012〕3号）",
    "preschool_access_2020": "学前教育普及普惠（教督〔2020〕1号）",
}
_GATES = {
    "eligibility": "申报条件",
    "resource": "资源配置",
    "government": "政府保障",
    "quality": "教育质量",
    "satisfaction": "社会认可度",
    "veto": "一票否决",
    "composite": "综合差异系数",
    "access": "普及普惠",
}
_STATES = {"met": "达到", "not_met": "未达到", "not_collected": "未采集", "not_applicable": "不适用"}
_COLORS = {"met": "good", "not_met": "bad", "not_collected": "unknown", "not_applicable": "beside"}
_VERDICTS = {"pass": "通过", "fail": "未通过", "not_applicable": "不适用"}
# Why a rule is not met; why it has no value stands in the list of reasons.
_FAILED = {"beyond_limit": "超出限值", "answered_no": "报送为否"}
_COUNTS = ("met_count", "not_met_count", "not_collected_count", "not_applicable_count")
_NOT_JUDGED = "不适用或没有数值。"


def _names(book: Book, standard: str) -> dict[str, Row]:
    """Rule -> its row in the standard, as in force on the release's day."""
    rows = standards.rows("evaluation/balance_rules", date.fromisoformat(book.source.as_of))
    return {row["rule_code"]: row for row in rows if row["standard"] == standard}


def _year(book: Book, scope: Scope) -> int | None:
    """The school year judged: the scope's, else the newest that the release has."""
    rows = book.source.rows(
        f"""select distinct school_year_start as year from {VERDICT}
            where district_code = ? order by year desc""",
        scope.district_code,
    )
    years = [row["year"] for row in rows]
    return scope.year if scope.year in years else years[0] if years else None


def _verdicts(book: Book, scope: Scope, year: int) -> list[Row]:
    order = " ".join(f"when '{name}' then {at}" for at, name in enumerate(_STANDARDS))
    return book.source.rows(
        f"""select * from {VERDICT} where district_code = ? and school_year_start = ?
            order by case standard {order} end, standard""",
        *(scope.district_code, year),
    )


def _failed(book: Book, row: Row) -> tuple[str, str]:
    """The first gate that fails and its first rule, in words."""
    if row["first_failed_gate"] is None:
        return NONE, NONE
    code = row["first_failed_rule"] or ""
    name = _names(book, row["standard"]).get(code, {}).get("name_zh", "")
    state = word(_STATES, row["first_failed_state"])
    return word(_GATES, row["first_failed_gate"]), f"{code} {name}（{state}）"


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """The verdict of quality balance and the gate that fails; None where it was not judged."""
    year = _year(book, scope) if book.source.has(*PART.tables) else None
    rows = [row for row in _verdicts(book, scope, year) if row["standard"] == _QUALITY] if year else []
    if not rows:
        return None
    row = rows[0]
    gate, rule = _failed(book, row)
    verdict = word(_VERDICTS, row["verdict"])
    where = "" if gate == NONE else f"，首个未通过环节为{gate}：{rule}"
    return (
        f"义务教育优质均衡（{school_year(row['school_year_start'])}）{verdict}{where}；未达到",
        book.figure(f"{VERDICT}.not_met_count", row["not_met_count"], unit=True),
        "，未采集",
        book.figure(f"{VERDICT}.not_collected_count", row["not_collected_count"], unit=True),
        "。",
    )


def _blocks(book: Book, scope: Scope) -> list[Block]:
    year = _year(book, scope)
    if year is None:
        return [notice(f"{scope.name}没有均衡督导评估的计算结果。")]
    blocks: list[Block] = []
    if year != scope.year:
        blocks.append(notice(f"发布版没有{school_year(scope.year)}的评估，以下为{school_year(year)}。"))
    gates = _gates(book, scope, year)
    blocks += [gates] if gates else []
    made = (_verdict_table, _rule_table, _coefficient_table, _school_table)
    return blocks + [table for make in made if (table := make(book, scope, year)) is not None]


def _brief(book: Book, scope: Scope) -> list[Block]:
    year = _year(book, scope)
    if year is None:
        return [notice(f"{scope.name}没有均衡督导评估的计算结果。")]
    gates = _gates(book, scope, year, width=charts.HALF)
    keys: list[str | Column] = [
        Column("结论"),
        Column("首个未通过环节"),
        *(f"{VERDICT}.{name}" for name in _COUNTS[1:3]),
    ]
    lines: list[list[Piece]] = [
        [
            word(_STANDARDS, row["standard"]).partition("（")[0],
            word(_VERDICTS, row["verdict"]),
            _failed(book, row)[0],
            *(book.figure(f"{VERDICT}.{name}", row[name]) for name in _COUNTS[1:3]),
        ]
        for row in _verdicts(book, scope, year)
    ]
    return [*([gates] if gates else []), book.table(f"{school_year(year)}督导评估结论", "标准", keys, lines)]


def _gates(book: Book, scope: Scope, year: int, *, width: int = charts.WIDTH) -> Chart | None:
    rows = book.source.rows(
        f"""select * from {GATE} where standard = ? and district_code = ? and school_year_start = ?
            order by gate_number""",
        *(_QUALITY, scope.district_code, year),
    )
    shown = [
        (
            word(_GATES, row["gate"]),
            _COLORS.get(row["state"], "beside"),
            word(_STATES, row["state"]),
        )
        for row in rows
    ]
    return charts.steps(
        f"优质均衡各环节（依次判定，不作加权），{school_year(year)}",
        "；".join(f"{name}{word}" for name, _, word in shown) + "。",
        shown,
        is_synthetic=book.source.release.is_synthetic,
        width=width,
    )


def _verdict_table(book: Book, scope: Scope, year: int) -> Table | None:
    lines: list[list[Piece]] = [
        [
            word(_STANDARDS, row["standard"]),
            word(_VERDICTS, row["verdict"]),
            *_failed(book, row),
            *(book.figure(f"{VERDICT}.{name}", row[name]) for name in _COUNTS),
        ]
        for row in _verdicts(book, scope, year)
    ]
    keys: list[str | Column] = [Column("结论"), Column("首个未通过环节"), Column("首个未通过项")]
    counts = [f"{VERDICT}.{name}" for name in _COUNTS]
    return book.table(f"{school_year(year)}督导评估结论", "标准", [*keys, *counts], lines) if lines else None


def _rule_table(book: Book, scope: Scope, year: int) -> Table | None:
    """The rules of quality balance that are not met or not collected."""
    rows = book.source.rows(
        f"""select * from {RULE} where standard = ? and district_code = ? and school_year_start = ?
            and state in ('not_met', 'not_collected') order by gate_number, rule_number""",
        *(_QUALITY, scope.district_code, year),
    )
    names = _names(book, _QUALITY)
    lines: list[list[Piece]] = []
    for row in rows:
        about = names.get(row["rule_code"], {})
        # As many digits as the mart has, so that a ratio is not rounded twice.
        digits = 4 if about.get("unit") in ("ratio", "ratio_of_threshold") else 2
        told = _reason(row["reason"], row["state"])
        lines.append(
            [
                f"{row['rule_code']} {about.get('name_zh', '')}",
                word(_GATES, row["gate"]),
                word(STAGES, row["stage_code"]),
                word(_STATES, row["state"]),
                book.figure(f"{RULE}.value", row["value"], decimals=digits, why="未采集，或按是否判定。"),
                book.figure(
                    f"{RULE}.threshold", row["threshold"], decimals=digits, why="按是否判定，没有标准值。"
                ),
                told,
            ]
        )
    keys: list[str | Column] = [
        Column("环节"),
        Column("学段"),
        Column("判定"),
        f"{RULE}.value",
        f"{RULE}.threshold",
        Column("说明"),
    ]
    caption = f"优质均衡未达到与未采集的项目（{school_year(year)}）"
    return book.table(caption, "项目", keys, lines) if lines else None


def _reason(reason: str | None, state: str) -> str:
    if not reason:
        return NONE
    kind, _, rest = reason.partition(":")
    if kind == "schools":
        return f"{rest}所学校{word(_STATES, state)}"
    if rest in STAGES:
        return f"{kind}（{STAGES[rest]}）"
    return _FAILED.get(reason) or missing.told(reason)


def _coefficient_table(book: Book, scope: Scope, year: int) -> Table | None:
    rows = book.source.rows(
        f"""select * from {COEFFICIENT} where standard = ? and district_code = ? and school_year_start = ?
            order by {STAGE_ORDER}, indicator_code""",
        *(_QUALITY, scope.district_code, year),
    )
    names = _names(book, _QUALITY)
    figures = (
        "indicator_mean",
        "coefficient_of_variation",
        "coefficient_limit",
        "school_count",
        "below_count",
    )
    lines: list[list[Piece]] = [
        [
            f"{row['indicator_code']} {names.get(row['indicator_code'], {}).get('name_zh', '')}",
            word(STAGES, row["stage_code"]),
            *(book.figure(f"{COEFFICIENT}.{name}", row[name], why=_NOT_JUDGED) for name in figures),
            word(_VERDICTS, row["verdict"]),
        ]
        for row in rows
    ]
    keys: list[str | Column] = [
        Column("学段"),
        *(f"{COEFFICIENT}.{name}" for name in figures),
        Column("结论"),
    ]
    caption = f"资源配置七项指标的校际差异系数（{school_year(year)}）"
    return book.table(caption, "指标", keys, lines) if lines else None


def _school_table(book: Book, scope: Scope, year: int) -> Table | None:
    """Schools by their codes: they are not ranked."""
    rows = book.source.rows(
        f"""select * from {SCHOOL} where standard = ? and district_code = ? and school_year_start = ?
            order by {STAGE_ORDER}, school_code""",
        *(_QUALITY, scope.district_code, year),
    )
    figures = ("pupil_count", "met_count", "lowest_share_of_threshold")
    lines: list[list[Piece]] = [
        [
            row["school_name"] or row["school_code"],
            word(STAGES, row["stage_code"]),
            *(book.figure(f"{SCHOOL}.{name}", row[name], why=_NOT_JUDGED) for name in figures),
            word(_VERDICTS, row["verdict"]),
        ]
        for row in rows
    ]
    keys: list[str | Column] = [Column("学段"), *(f"{SCHOOL}.{name}" for name in figures), Column("结论")]
    caption = f"各校资源配置（{school_year(year)}，按学校代码排列，不作排名）"
    return book.table(caption, "学校", keys, lines) if lines else None


def of_school(book: Book, scope: Scope) -> list[Block]:
    """A school's seven indicators with thresholds in the newest year judged, by stage; else a notice."""
    rows = book.source.rows(
        f"""select * from {INDICATOR} where standard = ? and school_code = ? and school_year_start = (
                select max(school_year_start) from {INDICATOR} where school_code = ?)
            order by {STAGE_ORDER}, indicator_code""",
        *(_QUALITY, scope.code, scope.code),
    )
    if not rows:
        return [notice("该校不在义务教育优质均衡的评估范围，或没有数据。")]
    stages = dict.fromkeys(row["stage_code"] for row in rows)
    return [_of_stage(book, [row for row in rows if row["stage_code"] == stage]) for stage in stages]


def _of_stage(book: Book, rows: list[Row]) -> Table:
    names = _names(book, _QUALITY)
    figures = ("indicator_value", "threshold", "share_of_threshold")
    lines: list[list[Piece]] = [
        [
            f"{row['indicator_code']} {names.get(row['indicator_code'], {}).get('name_zh', '')}",
            *(book.figure(f"{INDICATOR}.{name}", row[name], why=_NOT_JUDGED) for name in figures),
            yes_no(row["is_met"]),
        ]
        for row in rows
    ]
    keys: list[str | Column] = [*(f"{INDICATOR}.{name}" for name in figures), Column("达标")]
    year, stage = school_year(rows[0]["school_year_start"]), word(STAGES, rows[0]["stage_code"])
    return book.table(f"优质均衡资源配置：{stage}（{year}）", "指标", keys, lines)


PART = Part(
    "balance",
    "义务教育优质均衡 Quality balance",
    (VERDICT, RULE, GATE, COEFFICIENT, SCHOOL),
    _blocks,
)
BRIEF = Part("balance", PART.title, PART.tables, _brief)
