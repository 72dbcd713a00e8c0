"""Every layer's tables as entries of one reference: meaning, unit, privacy, sources, rules, readers.

Layers: datasets as sent, clean tables, decisions, the lake's books, marts, metrics, code lists. All is read
from the declarations, the models' YAML and the lineage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jobs import declare
from jobs.declare import Contract, column_units, metrics, ranges
from jobs.declare.words import explain
from jobs.files import parse_yaml
from jobs.publish import lineage, meanings, model_files
from jobs.publish.lineage import Lineage
from jobs.publish.lineage_sql import KINDS, ROWS, Point
from jobs.publish.published_models import AUDIENCES, FOLDERS, Model, is_personal, model_of

LAYERS = {
    "dataset": ("报送数据表", "Datasets as sent"),
    "clean": ("清洗表", "Clean tables"),
    "decision": ("决策表", "Decisions"),
    "book": ("运行台账", "The lake's books"),
    "mart": ("数据集市", "Marts"),
    "metric": ("指标", "Metrics"),
    "code": ("代码表", "Code lists"),
}
# The strictest first.
PRIVACY = {
    "direct": ("直接标识", "direct identifier"),
    "sensitive": ("敏感", "sensitive"),
    "quasi": ("准标识", "quasi-identifier"),
    "pseudonym": ("假名", "pseudonym"),
    "ordinary": ("一般", "ordinary"),
}
# A code list with more members (senders of a city) is told by its number.
MOST_CODES = 200
Words = tuple[str, str]
NOTHING: Words = ("", "")


@dataclass(frozen=True)
class Line:
    """One column, heading, metric's part or code of an entry."""

    name: str
    means: Words
    kind: str = ""
    unit: Words = NOTHING
    privacy: str = ""
    sources: tuple[str, ...] = ()
    rules: tuple[Words, ...] = ()
    sums: Words = NOTHING


@dataclass(frozen=True)
class Entry:
    """One table, metric or code list."""

    layer: str
    name: str
    means: Words
    about: str
    grain: str
    lines: tuple[Line, ...]
    facts: tuple[tuple[Words, str], ...] = ()
    readers: tuple[str, ...] = ()


def entries(found: Lineage) -> list[Entry]:
    """All entries, by layer and name. Raises ContractError for what no declaration explains."""
    readers = _readers(found)
    listed = [
        *(_dataset(contract) for contract in declare.load().values()),
        *(_lake_table(table, found, readers) for table in declare.all_tables()),
        *(_mart(model, told, found, readers) for model, told in _marts()),
        *(_metric(metric) for metric in metrics.load().values()),
        *(_code_list(path.stem) for path in sorted((declare.EXPECTATIONS / "codes").glob("*.csv"))),
    ]
    return sorted(listed, key=lambda entry: (list(LAYERS).index(entry.layer), entry.name))


# Datasets and the lake's tables


def _dataset(c: Contract) -> Entry:
    lines = []
    for column in c.columns:
        rules = [rule for rule, _ in c.column_rules(column)]
        asked = [explain(c, column.name, rule, is_refused=True).asked for rule in dict.fromkeys(rules)]
        lines.append(
            Line(
                name=column.headings[0],
                means=(column.zh, column.en),
                kind=column.type,
                unit=_unit(column.name, column.stored_type),
                privacy=column.privacy,
                sources=tuple(column.headings[1:]),
                rules=tuple((told.zh, told.en) for told in asked),
            )
        )
    facts = [
        (("报送", "sent by"), f"{c.sender}, {c.delivery}"),
        (("依据", "basis"), c.legal_basis),
        (("主键", "key"), ", ".join(c.key)),
    ]
    return Entry("dataset", c.dataset, (c.zh, c.en), c.feed, c.grain, tuple(lines), tuple(facts), (c.table,))


def _lake_table(table: str, found: Lineage, readers: Mapping[str, list[str]]) -> Entry:
    contract = declare.statements_of(table)
    is_made = table in declare.made_tables()
    layer = "decision" if table.startswith("decision_") else "book" if is_made else "clean"
    if is_made:
        told = declare.made_declarations()[table]
        means, grain, about = (told["zh"], told["en"]), told["en"].partition(";")[0], ""
    else:
        assert contract is not None
        part = ("（一般字段）", ", ordinary columns") if table == contract.general_table else NOTHING
        means, grain, about = (contract.zh + part[0], contract.en + part[1]), contract.grain, contract.dataset
    persons = any(is_personal(name) for name in declare.table_columns(table))
    named = {c.name: c for c in contract.columns} if contract and not is_made else {}
    lines = []
    for name, kind in declare.table_columns(table).items():
        own = named.get(name)
        zh, en = (own.zh, own.en) if own else _added(name) or model_files.meaning(name, (table,))[1:]
        privacy = own.privacy if own else _privacy(found, Point(table, name), persons)
        lines.append(
            Line(name, (zh, en), kind, _unit(name, kind), privacy, _sources(found, Point(table, name)))
        )
    facts = []
    if table in lineage.decided_from():
        by = ", ".join(f"jobs/decide/{file}" for file in lineage.decided_from()[table]["made_by"])
        facts.append((("由谁计算", "computed by"), by))
    return Entry(layer, table, means, about, grain, tuple(lines), tuple(facts), tuple(readers.get(table, ())))


def _added(column: str) -> Words | None:
    """What a column means that the lake adds to those of a contract."""
    return column_units.added().get(column)


# Marts


def _marts() -> Iterator[tuple[Model, dict[str, Any]]]:
    for path in sorted((model_files.MODELS / "marts").rglob("*.yml")):
        told = meanings.model(path.stem)
        if told and "scope" in told["config"].get("meta", {}):
            node = told | {"columns": {column["name"]: column for column in told["columns"]}}
            yield model_of(path.stem, node), told


def _mart(model: Model, told: dict[str, Any], found: Lineage, readers: Mapping[str, list[str]]) -> Entry:
    lines = []
    for column in told["columns"]:
        name, meta = column["name"], column["config"]["meta"]
        point = Point(model.name, name)
        over = model.columns[name].additive_over
        lines.append(
            Line(
                name=name,
                means=(meta["title_zh"], column["description"]),
                kind=column["data_type"],
                unit=_unit(name, column["data_type"]),
                privacy=_privacy(found, point, model.pupil_rows),
                sources=_sources(found, point),
                rules=_range(meta),
                sums=_sums(over),
            )
        )
    meta = told["config"]["meta"]
    facts: list[tuple[Words, str]] = [
        (("读者", "readers"), " ".join(AUDIENCES[model.audience])),
        (("平台", "platform"), f"{FOLDERS[model.platform]} {model.platform}" if model.platform else ""),
        (("主键", "key"), ", ".join(model.grain)),
        *((("注", "note"), f"{zh} {en}") for zh, en in model.footnotes),
    ]
    by = [*exposures(model.name), *readers.get(model.name, ())]
    means = (model.title_zh, model.title_en)
    return Entry(
        "mart", model.name, means, model.description, meta["grain_zh"], tuple(lines), tuple(facts), tuple(by)
    )


def _range(meta: Mapping[str, Any]) -> tuple[Words, ...]:
    least, most = meta.get("between", (None, None))
    found: list[Words] = []
    if least is not None and most is not None:
        found.append((f"{least} 至 {most}", f"{least} to {most}"))
    elif least is not None:
        found.append((f"不小于 {least}", f"at least {least}"))
    found += [(f"不大于 {other}", f"at most {other}") for other in meta.get("at_most", ())]
    return tuple(found)


def _sums(over: tuple[str, ...] | None) -> Words:
    if over is None:
        return NOTHING
    if not over:
        return ("不可求和", "never summed")
    return (f"可按 {'、'.join(over)} 求和", f"may be summed over {', '.join(over)}")


def exposures(mart: str) -> list[str]:
    """Who reads a mart outside dbt."""
    return [name for name, marts in _exposures().items() if mart in marts]


@cache
def _exposures() -> dict[str, set[str]]:
    declared = parse_yaml((model_files.MODELS / "exposures.yml").read_text("utf-8"))["exposures"]
    return {one["label"]: {ref[5:-2] for ref in one["depends_on"]} for one in declared}


# Metrics and codes


def _metric(metric: metrics.Metric) -> Entry:
    parts = [
        (("定义", "definition"), metric.definition),
        (("分子", "numerator"), metric.numerator),
        (("分母", "denominator"), metric.denominator),
        (("注", "note"), metric.footnote),
    ]
    lines = tuple(Line(f"{zh} {en}", (told.zh, told.en)) for (zh, en), told in parts if told)
    facts = (
        (("单位", "unit"), f"{metric.unit.zh} {metric.unit.en}"),
        (("层级", "levels"), ", ".join(metric.levels)),
        (("依据", "clause"), metric.clause or ""),
    )
    name = (metric.name.zh, metric.name.en)
    grain = "指标 × 层级 × 单位 × 时期"
    return Entry(
        "metric", metric.code, name, "fct_metric_value", grain, lines, facts, tuple(metric.source_tables)
    )


def _code_list(name: str) -> Entry:
    rows = declare.code_list(name).rows
    lines = tuple(
        Line(row["code"], (row.get("meaning_zh") or row["code"], row.get("meaning_en") or row["code"]))
        for row in (rows if len(rows) <= MOST_CODES else ())
    )
    facts = ((("代码数", "codes"), str(len(rows))),)
    return Entry("code", name, column_units.code_title(name), "", "代码", lines, facts)


# What all share


def _unit(column: str, kind: str) -> Words:
    is_number = ranges.is_number(declare.duckdb_type(kind) if kind in _LAKE_NUMBERS else kind)
    return column_units.unit_of(column) if is_number else NOTHING


_LAKE_NUMBERS = ("int", "bigint", "double")


def _privacy(found: Lineage, point: Point, has_person_rows: bool) -> str:
    """The strictest class among the headings that a value of one person is made of; of sums: ordinary."""
    if is_personal(point.column):
        return "pseudonym"
    if not has_person_rows:
        return "ordinary"
    classes = ["ordinary"]
    for end, kind in found.sources(point).items():
        contract = declare.load().get(end.relation)
        if contract and kind in ("copied", "renamed", "computed") and end.column != ROWS:
            classes += [c.privacy for c in contract.columns if c.headings[0] == end.column]
    # A value that is made with the help of an identifier does not hold it.
    return min((one for one in classes if one != "direct"), key=list(PRIVACY).index)


def _sources(found: Lineage, point: Point) -> tuple[str, ...]:
    """The ends of a column's values, nearest first: `test_result.身高 (copied)`."""
    ends = [
        (KINDS.index(kind), str(end), kind)
        for end, kind in found.sources(point).items()
        if kind != "filtered"
    ]
    if not ends and point not in found.columns:
        return ()
    return tuple(f"{end} ({kind})" for _, end, kind in sorted(ends)) or (
        "（只用于取舍 chosen by filters only）",
    )


def _readers(found: Lineage) -> dict[str, list[str]]:
    """Relation -> the models and decisions that read it."""
    by: dict[str, set[str]] = defaultdict(set)
    for point, edges in found.columns.items():
        for source in edges:
            by[source.relation].add(point.relation)
    for model, edges in found.rows.items():
        for source in edges:
            by[source.relation].add(model)
    return {relation: sorted(names - {relation}) for relation, names in by.items()}


def undocumented(listed: Iterable[Entry]) -> list[str]:
    """What lacks a meaning in a language, a privacy class or a source: `layer name.line: what`."""
    found = []
    for entry in listed:
        found += [f"{entry.layer} {entry.name}: {lack}" for lack in _lacks(entry.means)]
        for line in entry.lines:
            lacks = _lacks(line.means)
            if (
                entry.layer in ("dataset", "clean", "decision", "book", "mart")
                and line.privacy not in PRIVACY
            ):
                lacks.append("privacy")
            if entry.layer in ("mart", "clean", "decision") and not line.sources:
                lacks.append("source")
            found += [f"{entry.layer} {entry.name}.{line.name}: {lack}" for lack in lacks]
    return found


def _lacks(means: Words) -> list[str]:
    zh, en = means
    return [*([] if zh.strip() else ["zh"]), *([] if en.strip() else ["en"])]
