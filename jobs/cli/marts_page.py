"""The reference page of the marts: grain, readers, what may be summed, footnotes; from the models' YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jobs.files import parse_yaml
from jobs.publish.published_models import AUDIENCES, FOLDERS, Model, model_of
from jobs.settings import ROOT

MARTS = ROOT / "dbt" / "models" / "marts"
_INTRO = """\
Read them with `./edulake sql`. Columns are in each model's YAML.

求和规则 to sum a measure: pick one value of each column named under “先选其一 pick one”, and of each key over
which it is not additive; where a key has a mark of totals, take the totals or the members, not both. Numbers
that no line here names are never summed.
"""


def page(head: str) -> str:
    """The text of the page, beginning with `head`."""
    lines = [head, "# Marts 数据集市\n", _INTRO]
    for folder, zh in FOLDERS.items():
        lines.append(f"## {zh} {folder}\n")
        for path, model, grain_zh in _marts(MARTS / folder):
            lines += _entry(path, model, grain_zh)
    return "\n".join(lines)


def _marts(folder: Path) -> Iterator[tuple[Path, Model, str]]:
    """The marts of a folder that a release shows: SQL file, model, grain in Chinese."""
    for path in sorted(folder.rglob("*.yml"), key=lambda found: found.stem):
        (told,) = parse_yaml(path.read_text("utf-8"))["models"]
        meta = told["config"].get("meta", {})
        if "scope" in meta:
            node = told | {"columns": {column["name"]: column for column in told["columns"]}}
            yield path.with_suffix(".sql"), model_of(told["name"], node), meta["grain_zh"]


def _entry(path: Path, model: Model, grain_zh: str) -> list[str]:
    lines = [
        f"### [`{model.name}`](../../{path.relative_to(ROOT).as_posix()}) {model.title_zh}\n",
        f"{model.description}\n",
        f"- 粒度 grain: {grain_zh} ({_names(model.grain)})",
        f"- 读者 readers: {' '.join(AUDIENCES[model.audience])}",
    ]
    if model.pick_one and _sums(model):
        lines.append(f"- 先选其一 pick one: {_names(model.pick_one)}")
    if marks := model.total_marks:
        lines.append("- 合计标记 totals: " + ", ".join(f"`{key}` by `{mark}`" for key, mark in marks.items()))
    lines += [
        f"- 可加 sums over {_names(over)}: {_names(measures)}" for over, measures in _sums(model).items()
    ]
    lines += [f"- 注 note: {zh} {en}" for zh, en in model.footnotes]
    return [*lines, ""]


def _sums(model: Model) -> dict[tuple[str, ...], list[str]]:
    """Keys -> the measures that may be summed over them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, column in model.columns.items():
        if column.additive_over:
            found.setdefault(column.additive_over, []).append(name)
    return found


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
