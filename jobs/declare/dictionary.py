"""The data dictionary, written from the declarations: nothing in it is typed by hand.

One page a dataset: meaning, unit, source heading, checks, privacy class of each column, and the dbt models
that read the table. `python -m jobs.declare.dictionary` writes `docs/reference/dictionary/`; a test compares.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

from jobs.declare import bounds, contracts, metrics_page, reporting_page
from jobs.declare.model import STATEMENT_COLUMNS, Column, Contract
from jobs.declare.words import explain
from jobs.settings import ROOT

FOLDER = ROOT / "docs" / "reference" / "dictionary"
_HEAD = "<!-- Written by `./edulake dictionary` from expectations/; a test compares. -->\n"
_PRIVACY_ZH = {"direct": "直接标识", "quasi": "准标识", "sensitive": "敏感", "ordinary": "一般"}
_SENDERS_ZH = {
    "school": "学校",
    "district": "区",
    "reporting_unit": "填报单位 (区或学校)",
    "city": "市级部门",
    "contributor": "资源提供单位",
}
_DELIVERY_ZH = {"snapshot": "全量", "increment": "增量", "event": "事件"}


def pages() -> dict[Path, str]:
    """Path -> text of every page of the dictionary."""
    readers = _readers()
    datasets = contracts.load()
    found = {FOLDER / f"{dataset}.md": _page(contract, readers) for dataset, contract in datasets.items()}
    found[FOLDER / "calendar.md"] = "\n".join([_HEAD, *reporting_page.page()])
    found[FOLDER / "metrics.md"] = "\n".join([_HEAD, *metrics_page.page()])
    found[FOLDER / "tables.md"] = _made_page(readers)
    found[FOLDER / "README.md"] = _index(list(datasets.values()))
    return found


def write() -> int:
    """Write all pages, delete those of datasets that are gone, and return the number of pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in set(FOLDER.glob("*.md")) - set(made):
        old.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return len(made)


def _index(datasets: list[Contract]) -> str:
    lines = [
        _HEAD,
        "# 数据字典 Data dictionary\n",
        "| 数据源 feed | 数据表 dataset | 含义 | meaning | 一行 one row |",
    ]
    lines += ["| --- | --- | --- | --- | --- |"]
    for c in sorted(datasets, key=lambda c: (c.feed, c.dataset)):
        lines.append(f"| {c.feed} | [{c.dataset}]({c.dataset}.md) | {c.zh} | {c.en} | {c.grain} |")
    lines += ["", "湖仓自身的表 Tables that the lake makes: [tables.md](tables.md)", ""]
    lines += ["指标 Metrics: [metrics.md](metrics.md)", ""]
    lines += ["报送日历 Who owes what by when: [calendar.md](calendar.md)", ""]
    return "\n".join(lines)


def _page(c: Contract, readers: dict[str, list[str]]) -> str:
    lines = [_HEAD, f"# {c.zh} {c.dataset}\n", f"{c.en}.\n", "| | |", "| --- | --- |"]
    facts = [
        ("表 table", f"`{c.table}`"),
        *([("一般字段 general", _general(c))] if c.general_table else []),
        ("一行 grain", c.grain),
        ("主键 key", ", ".join(f"`{name}`" for name in c.key)),
        (
            "报送 sent by",
            f"{_SENDERS_ZH.get(c.sender, c.sender)} `{c.sender}`, {_DELIVERY_ZH[c.delivery]} `{c.delivery}`",
        ),
        ("依据 basis", f"{c.legal_basis} ({c.record_kind})"),
        ("保存年限 retention", f"{c.retention_years} 年 years (不自动删除 not deleted automatically)"),
        ("多余列 extra columns", f"`{c.extra_columns}`"),
        ("使用 read by", ", ".join(f"`{m}`" for m in readers.get(c.table, ())) or "—"),
    ]
    lines += [f"| {name} | {value} |" for name, value in facts]
    lines += [
        "",
        "| 列 column | 含义 | meaning | 类型 type | 单位 unit | 隐私 privacy | 表头 headings | 规则 checks |",
    ]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for column in c.columns:
        checks = "; ".join(
            f"{rule}: {explain(c, column.name, rule, is_refused=True).asked.zh}"
            for rule in dict.fromkeys(rule for rule, _ in c.column_rules(column))
        )
        lines.append(_row(c, column, checks))
    if c.rules:
        lines += ["", "跨列规则 rules over several columns", ""]
    for rule in c.rules:
        lines.append(
            f"- `{rule.columns[0]}:{rule.name}` ({rule.verdict}): {rule.zh}. {rule.en}. `{rule.holds}`"
        )
    if bounded := bounds.columns(c):
        by = ", ".join(f"`{name}`" for name in c.bounds_by)
        lines += [
            "",
            f"按 {by} 另有范围 bounds by {by}: {', '.join(f'`{name}`' for name in bounded)}, "
            f"[{c.bounds}](../../../expectations/standards/{c.bounds}.csv)",
        ]
    if c.left_in_raw:
        lines += [
            "",
            "不采集入库、只留在原始层 left in raw: "
            + ", ".join(dict.fromkeys(h.split("@")[0] for h in c.left_in_raw)),
        ]
    return "\n".join([*lines, ""])


def _general(c: Contract) -> str:
    """The table of the same rows without values of persons, and its columns."""
    kept = ", ".join(f"`{n}`" for n in c.general_columns() if n not in STATEMENT_COLUMNS)
    return f"`{c.general_table}` ({kept}); 其余在受限区 the rest is restricted"


def _row(c: Contract, column: Column, checks: str) -> str:
    name = f"`{column.name}`"
    if column.privacy == "direct":
        made = f" → `{c.person_key}`" if column.name == c.identity else ""
        name += f" (只在原始层 raw only{made})"
    kind = column.stored_type + (
        f", [{column.codes}](../../../expectations/codes/{column.codes}.csv)" if column.codes else ""
    )
    cells = [
        name,
        column.zh,
        column.en,
        kind,
        column.unit or "",
        f"{_PRIVACY_ZH[column.privacy]} {column.privacy}",
        ", ".join(column.headings),
        checks,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _made_page(readers: dict[str, list[str]]) -> str:
    lines = [_HEAD, "# 湖仓自身的表 Tables that the lake makes\n"]
    for table, declared in sorted(contracts.made_declarations().items()):
        used = ", ".join(f"`{m}`" for m in readers.get(table, ())) or "—"
        lines += [f"## {table} {declared['zh']}\n", f"{declared['en']}. 使用 read by: {used}\n"]
        lines += ["| 列 column | 类型 type | 含义 | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| `{n}` | {w[0]} | {w[1]} | {w[2]} |" for n, w in declared["columns"].items()]
        lines.append("")
    return "\n".join(lines)


def _readers() -> dict[str, list[str]]:
    """Lake table -> the dbt models that read it, directly or through staging."""
    texts = {p.stem: p.read_text("utf-8") for p in sorted((ROOT / "dbt" / "models").rglob("*.sql"))}
    direct: dict[str, set[str]] = defaultdict(set)
    above: dict[str, set[str]] = defaultdict(set)
    for model, text in texts.items():
        for table in re.findall(r"source\(\s*'\w+',\s*'(\w+)'", text):
            direct[table].add(model)
        for other in re.findall(r"ref\('(\w+)'\)", text):
            above[other].add(model)
    found = {}
    for table, models in direct.items():
        reached, waiting = set(), set(models)
        while waiting:
            model = waiting.pop()
            reached.add(model)
            waiting |= above[model] - reached
        found[table] = sorted(m for m in reached if not m.startswith(("stg_", "int_"))) or sorted(models)
    return found


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    write()
