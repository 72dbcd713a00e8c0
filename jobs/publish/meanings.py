"""What a point of the lineage means, in Chinese and English: a column, a heading, a code list, a date."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jobs import declare
from jobs.files import parse_yaml
from jobs.publish import lineage, model_files, views
from jobs.publish.lineage_sql import ROWS, Point

# Kinds of a step, as read.
KINDS_ZH = {
    "copied": "原样",
    "renamed": "改名",
    "computed": "计算",
    "counted": "计数",
    "filtered": "筛选",
}
_OF_DELIVERY = {
    "sender": ("报送单位", "Sender of the delivery"),
    "day": ("报送日期", "Day of the delivery"),
    "file": ("报送文件", "File of the delivery and line in it"),
    "delivery": ("报送批次", "The delivery"),
}
_OF_RUN = {
    "as_of_date": ("运行日期", "Day of the run"),
    "known_at": ("运行截止时刻", "Instant up to which the run knows"),
    "run_id": ("运行编号", "The run"),
}

Words = tuple[str, str]


def words(point: Point) -> Words:
    """Chinese and English of a point; empty where there is nothing to say beyond its name."""
    relation, column = point
    if relation == lineage.DELIVERY:
        return _OF_DELIVERY[column]
    if relation == lineage.RUN:
        return _OF_RUN[column]
    if relation == lineage.WRITTEN:
        return ("模型中写定的值", "written out in the model")
    if column == ROWS:
        return ("行", "rows")
    if relation.startswith(lineage.STANDARDS):
        return _of_standard(relation)
    if contract := declare.load().get(relation):
        own = next(c for c in contract.columns if column in c.headings)
        return (f"{contract.zh}的表头“{column}”", f"{own.en}; heading of {relation}")
    if told := model(relation):
        entry = next((c for c in told["columns"] if c["name"] == column), None)
        return (entry["config"]["meta"]["title_zh"], entry["description"]) if entry else ("", "")
    _, zh, en = model_files.meaning(column, (relation,))
    return zh, en


def _of_standard(relation: str) -> Words:
    name = relation.removeprefix(lineage.STANDARDS)
    if (declare.EXPECTATIONS / "codes" / f"{name}.csv").is_file():
        return (f"代码表 {name}", f"code list {name}")
    return (f"标准 {views.STANDARDS.get(name, name)}", f"dated standard {views.STANDARDS.get(name, name)}")


@cache
def model(name: str) -> dict[str, Any] | None:
    """What a dbt model's own YAML says; None where no model has this name."""
    file = _model_files().get(name)
    if file is None:
        return None
    (told,) = parse_yaml(file.read_text("utf-8"))["models"]
    found: dict[str, Any] = told
    return found


@cache
def _model_files() -> dict[str, Path]:
    return {p.stem: p for p in sorted(model_files.MODELS.rglob("*.yml")) if p.with_suffix(".sql").is_file()}
