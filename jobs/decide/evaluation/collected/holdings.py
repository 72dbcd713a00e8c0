"""What the lake holds, by the words that name it: contracts, code lists, metrics, columns of marts.

Nothing is listed here by hand: a heading that a contract learns is known to this the same day.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from jobs import declare
from jobs.decide.evaluation.collected import words
from jobs.declare import Column, Contract, code_list, heading_key, metrics
from jobs.declare.codes import fold
from jobs.declare.headings import heading_key as key_of
from jobs.files import parse_yaml

# Words of code lists that say nothing by themselves.
_EMPTY_WORDS = frozenset({"无", "有", "否", "是", "其他", "其它", "不详", "未说明", "未知", "", "一般"})


@dataclass(frozen=True)
class Held:
    """A column that a dataset brings. `is_fine`: its rows are schools, pupils or staff, or parts of them."""

    contract: Contract
    column: Column
    is_fine: bool

    @property
    def place(self) -> str:
        """`教职工名册.学历 (staff_register.education_level_code)`"""
        return f"{self.contract.zh}.{self.column.zh} ({self.contract.dataset}.{self.column.name})"


@dataclass(frozen=True)
class Made:
    """What is worked out and published: a metric or a column of a mart."""

    place: str
    definition: str
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holdings:
    """Words, as `heading_key` compares them, -> what they name."""

    columns: Mapping[str, tuple[Held, ...]]
    raw_only: Mapping[str, tuple[Contract, ...]]
    made: Mapping[str, Made]
    # dataset -> word -> the column of which it is a value, a name, or a yes
    vocabulary: Mapping[str, Mapping[str, Column]]


def subject_of(contract: Contract, column: Column | None = None) -> str:
    """Whom a dataset, or a column of it, is about: `pupil`, `staff` or `school`."""
    if column is not None and "pupil" in column.name:
        return "pupil"
    if column is not None and "school" in column.name:
        return "school"
    if contract.identity:
        return contract.person
    return "school"


@cache
def load() -> Holdings:
    """Everything that is declared now."""
    columns: dict[str, list[Held]] = defaultdict(list)
    raw_only: dict[str, list[Contract]] = defaultdict(list)
    vocabulary: dict[str, dict[str, Column]] = {}
    for contract in declare.load().values():
        is_fine = _is_fine(contract)
        for column in contract.columns:
            for name in dict.fromkeys(key_of(h) for h in (*column.headings, column.zh) if "@" not in h):
                columns[name].append(Held(contract, column, is_fine))
        for heading in contract.left_in_raw:
            if "@" not in heading:
                raw_only[key_of(heading)].append(contract)
        if is_fine:
            vocabulary[contract.dataset] = dict(_vocabulary(contract))
    return Holdings(
        {name: tuple(sorted(held, key=_first)) for name, held in columns.items() if name},
        {name: tuple(of) for name, of in raw_only.items()},
        {**_of_marts(), **_of_metrics()},
        vocabulary,
    )


# The lists of all schools, pupils and staff: they are named first, and counts are made of them.
LISTS = ("school_register", "pupil_roll", "staff_register")


def _first(held: Held) -> tuple[bool, bool, int, bool, int, str]:
    """The dataset to name first: fine ones, lists of all, snapshots, and those that say most."""
    contract = held.contract
    place = LISTS.index(contract.dataset) if contract.dataset in LISTS else len(LISTS)
    is_part = contract.dataset in words.load().in_part
    return (
        not held.is_fine,
        is_part,
        place,
        contract.delivery != "snapshot",
        -len(contract.columns),
        contract.dataset,
    )


def _is_fine(contract: Contract) -> bool:
    schools = {"school_code", "unit_code", "from_school_code"}
    named = {
        c.name for c in contract.columns if "学校标识码" in c.headings or c.name in schools - {"unit_code"}
    }
    return bool(named) or contract.identity is not None


def _vocabulary(contract: Contract) -> Iterator[tuple[str, Column]]:
    """Words by which rows of a dataset can be counted: its codes, coded columns, yes-or-no questions."""
    told = words.load()
    for column in contract.columns:
        for word in told.values.get(column.name, ()):
            yield word, column
        if column.type == "bool":
            for heading in (*column.headings, column.zh):
                yield (
                    words.narrow(heading.removeprefix("是否").removeprefix("接受").removeprefix("受过")),
                    column,
                )
        elif column.codes and column.codes not in ("district", "sender"):
            for heading in (*column.headings, column.zh):
                yield words.narrow(heading), column
                yield words.narrow(re.sub("(级别|等级|类别|类型|情况)$", "", heading)), column
            for row in code_list(column.codes).rows:
                for word in (row["meaning_zh"], *row.get("also", "").split("|")):
                    if fold(word) not in _EMPTY_WORDS:
                        yield words.narrow(word), column


def _of_metrics() -> dict[str, Made]:
    found: dict[str, Made] = {}
    for metric in metrics.load().values():
        place = f"fct_metric_value: {metric.name.zh} ({metric.code})"
        made = Made(place, metric.definition.zh, _datasets(metric.source_tables))
        for words_of in (metric.numerator, metric.denominator):
            if words_of:
                found.setdefault(heading_key(words_of.zh), made)
        found[heading_key(metric.name.zh)] = made
    return found


def _datasets(tables: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(c.dataset for c in declare.load().values() if c.table in tables)


def _of_marts() -> dict[str, Made]:
    """Columns that only marts have, by their Chinese names: shares, rates and counts that are worked out."""
    told = parse_yaml((declare.EXPECTATIONS / "mart_columns.yaml").read_text("utf-8"))
    endings = ("_count", "_share", "_rate", "_score", "_percent")
    return {
        heading_key(zh): Made(f"数据集市: {zh} ({name})", en)
        for name, (_, zh, en) in told.items()
        if name.endswith(endings) and not name.startswith(("missing_", "lower_", "upper_"))
    }
