"""What can be asked: tables and columns with their meanings, and the search for them by meaning.

A word finds what means the same: terms of `docs/glossary.md` in both languages, with the words that it says
to avoid, and everyday words of `_EVERYDAY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import duckdb

from jobs.settings import ROOT
from jobs.sql import identifier

# Words of one meaning that nobody would look up in a glossary.
_EVERYDAY = (
    ("late", "overdue", "逾期", "迟报", "超期", "超时", "未报", "days_late", "deadline"),
    ("boarder", "boarding", "住校", "寄宿", "住校生", "住宿"),
    ("migrant", "随迁", "随迁子女", "非京籍", "外来务工"),
    ("place", "学位", "座位", "seat", "capacity"),
    ("teacher", "staff", "教师", "教职工", "老师"),
    ("transfer", "转学", "changed school", "roll change", "学籍变动", "学籍异动", "moved"),
    ("pupil", "student", "学生", "在校生", "enrollment"),
    ("kindergarten", "preschool", "幼儿园", "学前", "入园"),
    ("complaint", "hotline", "投诉", "接诉即办", "诉求", "12345", "热线"),
    ("nearsighted", "myopia", "eyesight", "近视", "视力"),
    ("obese", "obesity", "overweight", "bmi", "肥胖", "超重"),
    ("accident", "incident", "事故", "安全事件"),
    ("hazard", "隐患"),
    ("birth", "出生", "births"),
    ("housing", "住宅", "住房", "小区", "homes"),
    ("group", "集团", "教育集团"),
    ("resource", "资源", "数字资源", "课程"),
    ("target", "目标", "规划目标", "plan"),
    ("share", "比例", "占比", "率", "rate", "proportion"),
    ("gap", "缺口", "余缺", "短缺", "shortage", "不足"),
    ("forecast", "预测", "outlook", "展望"),
    ("ratio", "生师比", "师生比"),
    ("degree", "学历", "bachelor", "本科", "education level"),
    ("rotation", "交流", "轮岗", "rotate"),
    ("run", "800 m", "800米", "跑", "endurance"),
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_WORD = re.compile(r"[a-z]+|\d+|[\u4e00-\u9fff]+")
_ROW = re.compile(
    r"^\| \*\*(?P<term>[^|]+?)\*\*[^|]* \| (?P<zh>[^|]+) \|.*\| (?P<avoid>[^|]+) \|$", re.MULTILINE
)
# What a hit in each place counts; a word of the same meaning counts less than the word itself.
_IN_NAME, _IN_TITLE, _IN_MEANING, _IN_COLUMN, _IN_COLUMN_MEANING = 8, 10, 4, 5, 2
_SAME_MEANING = 0.6
_MOST_COLUMNS_SHOWN = 4


@dataclass(frozen=True)
class Table:
    """A table or view that can be asked: its title and meaning, and of each column name, 中文 and meaning."""

    name: str
    title: str
    meaning: str
    columns: Sequence[tuple[str, str, str]] = ()
    # Its view with Chinese names, where there is one.
    name_zh: str = ""


@dataclass(frozen=True)
class Found:
    """A table that a search found, and the columns that it found there."""

    table: Table
    score: float
    columns: list[str] = field(default_factory=list)


def of_release(connection: duckdb.DuckDBPyConnection, database: str) -> list[Table]:
    """The tables of an attached file of a release, by what it says of them itself."""
    columns: dict[str, list[tuple[str, str, str]]] = {}
    of_column = f"select table_name, column_name, title_zh, description from {database}.main._column"
    for table, *column in connection.execute(of_column).fetchall():
        columns.setdefault(table, []).append((column[0], column[1] or "", column[2] or ""))
    tables = connection.execute(
        "select table_name, coalesce(comment, '') from duckdb_tables() where database_name = ? order by all",
        [database],
    ).fetchall()
    return [
        Table(name, title, meaning, columns.get(name, ()))
        for name, comment in tables
        for title, _, meaning in [comment.partition(" — ")]
    ]


def of_lake(names: Iterable[str]) -> list[Table]:
    """Tables of the lake, by their declarations."""
    # Declarations load Arrow, which a question about a release does without.
    from jobs import declare

    contracts = {}
    for contract in declare.load().values():
        contracts[contract.table] = contract
        contracts[contract.general_table or contract.table] = contract
    made, found = declare.made_declarations(), []
    for name in sorted(names):
        if name in contracts:
            contract = contracts[name]
            told = {c.name: (c.zh, c.en) for c in contract.columns}
            title, meaning = f"{contract.zh} {contract.en}", contract.grain
        else:
            told = {column: (words[1], words[2]) for column, words in made[name]["columns"].items()}
            title, meaning = f"{made[name]['zh']}", made[name]["en"]
        kept = {column: told.get(column) or _of_statement(column) for column in declare.table_columns(name)}
        found.append(Table(name, title, meaning, [(column, *words) for column, words in kept.items()]))
    return found


def _of_statement(column: str) -> tuple[str, str]:
    from jobs.declare.model import STATEMENT_COLUMNS

    words = STATEMENT_COLUMNS.get(column)
    return (words[1], words[2]) if words else ("", "")


def create_chinese_views(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], source: str
) -> list[Table]:
    """A view with Chinese names of each table of `source`, in schema `zh` of the connection's own database.
    Returns the tables with their views' names.

    Signs that would have to be quoted become `_`; where two names would be one, the second keeps its English
    name behind it.
    """
    connection.execute("create schema memory.zh")
    taken: set[str] = set()
    named = []
    for table in tables:
        if not table.columns:
            named.append(table)
            continue
        title = table.title.partition(" ")[0] if _HAN.search(table.title) else table.name
        view = _once(title, table.name, taken)
        own: set[str] = set()
        listed = ", ".join(
            f"{identifier(name)} as {identifier(_once(zh or name, name, own))}"
            for name, zh, _ in table.columns
        )
        of = f"{source}.{identifier(table.name)}"
        connection.execute(f"create view memory.zh.{identifier(view)} as select {listed} from {of}")
        named.append(Table(table.name, table.title, table.meaning, table.columns, view))
    return named


def _once(words: str, name: str, taken: set[str]) -> str:
    """The words as a name that needs no quotes, and that no other has."""
    found = re.sub(r"\W+", "_", words).strip("_")
    if found.lower() in taken or not found:
        found = f"{found}_{name}".strip("_")
    if found[0].isdigit():
        found = f"_{found}"
    taken.add(found.lower())
    return found


def search(tables: Sequence[Table], asked: str) -> list[Found]:
    """The tables that mean what is asked, best first. Of several words all must be found in a table, unless
    none has them all.
    """
    words = [part for word in _WORD.findall(asked.lower()) for part in _parts(word)]
    rated = []
    for table in tables:
        scores, columns = [], dict[str, float]()
        for word in words:
            score, hits = _rated(table, _alike(word))
            scores.append(score)
            for column in hits:
                columns[column] = max(columns.get(column, 0), hits[column])
        if any(scores):
            best = sorted(columns, key=lambda column: (-columns[column], column))[:_MOST_COLUMNS_SHOWN]
            rated.append((sum(score > 0 for score in scores), Found(table, sum(scores), best)))
    most = max((count for count, _ in rated), default=0)
    found = [one for count, one in rated if count == most]
    return sorted(found, key=lambda one: (-one.score, one.table.name))


def _rated(table: Table, words: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """How well a table fits a word with those of its meaning, and its columns that do."""
    in_columns = {
        name: max(
            (weight * (_IN_COLUMN * _holds(f"{name} {zh}", word) or _IN_COLUMN_MEANING * _holds(en, word)))
            for word, weight in words.items()
        )
        for name, zh, en in table.columns
    }
    hits = {name: score for name, score in in_columns.items() if score}
    places = ((_IN_NAME, table.name), (_IN_TITLE, table.title), (_IN_MEANING, table.meaning))
    own = sum(
        max(worth * weight * _holds(text, word) for word, weight in words.items()) for worth, text in places
    )
    # Many columns that hit say little more than one.
    return own + max(hits.values(), default=0) + 0.2 * min(len(hits), 5), hits


def _holds(text: str, word: str) -> float:
    """Whether a text has the word: 1, or the part of a Chinese word that it has, if that is most of it."""
    text = text.lower()
    if _HAN.search(word):
        if word in text or len(word) < 3:
            return float(word in text)
        pairs = [word[at : at + 2] for at in range(len(word) - 1)]
        part = sum(pair in text for pair in pairs) / len(pairs)
        return part / 2 if part > 0.5 else 0.0
    stems = [_stem(part) for part in re.findall(r"[a-z]+|\d+", text)]
    wanted = [_stem(part) for part in re.findall(r"[a-z]+|\d+", word)]
    return float(bool(wanted) and all(_is_in(stem, stems) for stem in wanted))


def _is_in(stem: str, stems: Sequence[str]) -> bool:
    return stem in stems or (len(stem) >= 4 and any(other.startswith(stem) for other in stems))


def _stem(word: str) -> str:
    for ending, stem in (
        ("ies", "y"),
        ("ing", ""),
        ("ers", ""),
        ("er", ""),
        ("ed", ""),
        ("es", ""),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending) + stem
    return word


def _parts(word: str) -> list[str]:
    """A Chinese word cut into those that the groups know, longest first; what lies between stays a word."""
    known = {other for group in _groups() for other in group if _HAN.search(other)}
    if not _HAN.search(word) or word in known:
        return [word]
    parts, between, at = [], "", 0
    while at < len(word):
        ends = [end for end in range(len(word), at + 1, -1) if word[at:end] in known]
        if ends:
            parts += [between, word[at : ends[0]]]
            between, at = "", ends[0]
        else:
            between, at = between + word[at], at + 1
    return [part for part in [*parts, between] if len(part) > 1] or [word]


def _alike(word: str) -> dict[str, float]:
    """The word, and those that mean the same, with what a hit counts."""
    found = {word: 1.0}
    for group in _groups():
        if any(word == other or (not _HAN.search(word) and _stem(word) == _stem(other)) for other in group):
            for other in group:
                found.setdefault(other, _SAME_MEANING)
    return found


@cache
def _groups() -> list[tuple[str, ...]]:
    """Groups of words of one meaning."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    groups = list(_EVERYDAY)
    for row in _ROW.finditer(page):
        told = (row["term"].partition("**")[0], *re.split(r"[、，,/]", row["zh"]), *row["avoid"].split(","))
        words = (re.sub(r"\(.*?\)", "", words).strip().lower() for words in told)
        groups.append(tuple(dict.fromkeys(word for word in words if len(word) > 1)))
    return groups
