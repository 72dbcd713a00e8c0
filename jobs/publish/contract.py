"""What published tables promise, and how one promise differs from the next: major, minor or patch.

A table's promise is its entry in a manifest: columns with type, grain, who may see it, and the members of its
keys (districts, grades, sexes, years). Major: a reader's query may fail or mean something else. Minor:
something came. Patch: values or words were corrected. `dbt/published_contracts.json` holds what the models
of this checkout promise; `python -m jobs.publish.contract` writes it anew, and refuses a change that breaks
unless the model's `meta` says the next `major`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from jobs import declare
from jobs.declare.words import Text
from jobs.files import parse_yaml
from jobs.settings import ROOT
from jobs.sql import identifier

if TYPE_CHECKING:
    import duckdb

BASELINE = ROOT / "dbt" / "published_contracts.json"
MODELS = ROOT / "dbt" / "models"

MAJOR, MINOR, PATCH = "major", "minor", "patch"
_WEIGHT = {PATCH: 1, MINOR: 2, MAJOR: 3}
FIRST = "1.0.0"

# Keys that name one of many things, which come and go, or count: no member of a classification.
_ENTITY = re.compile(
    r"(^|_)(school(?!_year)|unit|sender|project|group|lead|alert|hazard|receipt|case|area|campus|pupil|person|staff|item"
    r"|incident|resource|facility|rule|similar|housing|catchment|delivery|file|class|document)(_|$)"
    r"|_(rank|number|no|count|months|days)$"
)
_MEMBER_TYPES = ("VARCHAR", "INTEGER", "SMALLINT", "BIGINT", "BOOLEAN")
# With more values a key is no classification.
_MOST_MEMBERS = 300

_WORDS = {
    "table_added": Text("新增数据表", "new table"),
    "table_gone": Text("数据表取消", "table gone"),
    "column_added": Text("新增字段 {subject}", "new column {subject}"),
    "column_gone": Text("字段 {subject} 取消", "column {subject} gone"),
    "renamed": Text(
        "字段 {before} 改名为 {subject}，旧名仍可用", "column {before} is now {subject}; the old name stays"
    ),
    "old_name_gone": Text(
        "字段 {before} 的旧名 {subject} 到期停用", "old name {subject} of column {before} has ended"
    ),
    "type": Text("字段 {subject} 类型由 {before} 改为 {after}", "type of {subject}: {before} is now {after}"),
    "meaning": Text("口径变更（第 {after} 版）", "its meaning changed (promise {after})"),
    "grain": Text("粒度由 {before} 改为 {after}", "grain: {before} is now {after}"),
    "scope": Text("范围由 {before} 改为 {after}", "scope: {before} is now {after}"),
    "hidden": Text("不再对公众开放", "no longer public"),
    "opened": Text("对公众开放", "now public"),
    "member_added": Text("{subject} 新增 {after}", "{subject} has new {after}"),
    "member_gone": Text("{subject} 不再有 {before}", "{subject} no longer has {before}"),
    "additive": Text("{subject} 不再可沿 {before} 相加", "{subject} may no longer be summed over {before}"),
    "words": Text("{subject} 的名称或说明有改动", "{subject} is named or explained otherwise"),
    "values": Text("数值更新（{before} 行，现 {after} 行）", "values corrected ({before} rows, now {after})"),
}


@dataclass(frozen=True)
class Change:
    """One difference of a table from before. `is_announced`: readers were told, or data alone changed."""

    table: str
    level: str
    kind: str
    subject: str = ""
    before: str = ""
    after: str = ""
    is_announced: bool = True

    def words(self) -> Text:
        """The change in both languages."""
        told, values = _WORDS[self.kind], vars(self)
        return Text(told.zh.format(**values), told.en.format(**values))


def members(
    connection: duckdb.DuckDBPyConnection, source: str, grain: Sequence[str], columns: Mapping[str, str]
) -> dict[str, list[str]]:
    """The values of each classification among the keys of a table."""
    named = [name for name in grain if columns.get(name) in _MEMBER_TYPES and not _ENTITY.search(name)]
    if not named:
        return {}
    lists = ", ".join(f"list_sort(list(distinct {identifier(name)}::varchar))" for name in named)
    row = connection.execute(f"select {lists} from {source}").fetchall()[0]
    found = {
        name: [v for v in values or () if v is not None] for name, values in zip(named, row, strict=True)
    }
    return {name: values for name, values in found.items() if len(values) <= _MOST_MEMBERS}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """How the tables of one manifest differ from those of an earlier one, in the order of their names."""
    found: list[Change] = []
    for table in sorted({*before, *after}):
        if table not in after:
            found.append(Change(table, MAJOR, "table_gone", is_announced=False))
        elif table not in before:
            found.append(Change(table, MINOR, "table_added"))
        else:
            found += _of_table(table, before[table], after[table])
    return found


def versions(
    before: Mapping[str, Any], after: Mapping[str, Any], old: Mapping[str, str], changed: Sequence[Change]
) -> dict[str, str]:
    """Table -> its version after these changes; `old`: table -> the version that it had."""
    found = {}
    for table, promise in after.items():
        levels = [_WEIGHT[change.level] for change in changed if change.table == table]
        if table not in before:
            found[table] = f"{promise.get('major', 1)}.0.0"
            continue
        major, minor, patch = map(int, old.get(table, FIRST).split("."))
        match max(levels, default=0):
            case 3:
                found[table] = f"{max(major + 1, promise.get('major', 1))}.0.0"
            case 2:
                found[table] = f"{major}.{minor + 1}.0"
            case 1:
                found[table] = f"{major}.{minor}.{patch + 1}"
            case _:
                found[table] = f"{major}.{minor}.{patch}"
    return found


def breaking(changed: Sequence[Change]) -> list[Change]:
    """Changes that break what was promised and that nobody announced by a step of `major`."""
    return [change for change in changed if change.level == MAJOR and not change.is_announced]


def _of_table(table: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    # A step of the model's own `major` tells readers that the promise is another one.
    is_step = after.get("major", 1) > before.get("major", 1)
    found = [*_of_columns(table, before, after, is_step=is_step)]
    for name, kind in (("grain", "grain"), ("scope", "scope")):
        old, new = before.get(name), after.get(name)
        if old and new and old != new:
            found.append(Change(table, MAJOR, kind, "", _listed(old), _listed(new), is_step))
    if before.get("public") and not after.get("public"):
        found.append(Change(table, MAJOR, "hidden", is_announced=is_step))
    elif after.get("public") and not before.get("public"):
        found.append(Change(table, MINOR, "opened"))
    if is_step and not any(change.level == MAJOR for change in found):
        found.append(Change(table, MAJOR, "meaning", after=str(after["major"])))
    found += _of_sums(table, before, after, is_step=is_step)
    found += _of_members(table, before.get("members", {}), after.get("members", {}))
    if before.get("digest") != after.get("digest"):
        rows = (str(before.get("rows", 0)), str(after.get("rows", 0)))
        found.append(Change(table, PATCH, "values", "", *rows))
    return found


def _of_columns(
    table: str, before: Mapping[str, Any], after: Mapping[str, Any], *, is_step: bool
) -> Iterator[Change]:
    old = {column["name"]: column for column in before["columns"]}
    new = {column["name"]: column for column in after["columns"]}
    renamed = {column["alias_of"]: name for name, column in new.items() if column.get("alias_of")}
    for name, column in old.items():
        if name in new:
            if _type(column) != _type(new[name]):
                yield Change(
                    table, MAJOR, "type", name, _type(column), _type(new[name]), is_announced=is_step
                )
        elif column.get("alias_of"):
            yield Change(table, MAJOR, "old_name_gone", name, column["alias_of"])
        else:
            yield Change(table, MAJOR, "column_gone", name, is_announced=is_step)
    for name in new:
        if name not in old and not (new[name].get("alias_of")):
            if renamed.get(name) in old:
                yield Change(table, MINOR, "renamed", name, renamed[name])
            else:
                yield Change(table, MINOR, "column_added", name)
    said = ("title_zh", "description")
    other = [
        name
        for name in old
        if name in new
        and not new[name].get("alias_of")
        and any(old[name].get(word) != new[name].get(word) for word in said)
    ]
    if any(before.get(word) != after.get(word) for word in said):
        other.insert(0, table)
    if other:
        yield Change(table, PATCH, "words", _listed(other))


def _of_sums(
    table: str, before: Mapping[str, Any], after: Mapping[str, Any], *, is_step: bool
) -> Iterator[Change]:
    """A measure that may be summed over fewer keys than before: a reader's sum is wrong from now on."""
    old = {column["name"]: column.get("additive_over") for column in before["columns"]}
    for column in after["columns"]:
        was, now = old.get(column["name"]), column.get("additive_over")
        if was and now is not None and (gone := [key for key in was if key not in now]):
            yield Change(table, MAJOR, "additive", column["name"], _listed(gone), is_announced=is_step)


def _of_members(
    table: str, before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    for name in sorted(before.keys() & after.keys()):
        if gone := sorted({*before[name]} - {*after[name]}):
            yield Change(table, MAJOR, "member_gone", name, before=_listed(gone))
        if new := sorted({*after[name]} - {*before[name]}):
            yield Change(table, MINOR, "member_added", name, after=_listed(new))


def _type(column: Mapping[str, Any]) -> str:
    return re.sub(r"\s", "", str(column["type"])).upper()


def _listed(words: object) -> str:
    return ", ".join(map(str, words)) if isinstance(words, list | tuple) else str(words)


# The promise of this checkout, before anything is built.


def declared() -> dict[str, Any]:
    """Table -> what its model promises, from the YAML of the published models and the code lists."""
    found = {}
    for path in sorted((MODELS / "marts").rglob("*.yml")):
        for model in parse_yaml(path.read_text("utf-8")).get("models", ()):
            meta = model.get("config", {}).get("meta", {})
            if "scope" in meta:
                found[model["name"]] = _declared(model, meta)
    return dict(sorted(found.items()))


def _declared(model: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    columns: list[dict[str, str]] = [
        {"name": column["name"], "type": column["data_type"].upper()} for column in model.get("columns", ())
    ]
    kinds = {column["name"]: column["type"] for column in columns}
    columns += [
        {"name": one["from"], "type": kinds.get(one["to"], ""), "alias_of": one["to"]}
        for one in meta.get("renamed", ())
    ]
    return {
        "major": int(meta.get("major", 1)),
        "grain": list(meta.get("grain", ())),
        "scope": meta["scope"],
        "public": bool(meta.get("public", False)),
        "columns": columns,
        "members": {name: codes for name in sorted(kinds) if (codes := _codes(name))},
    }


@cache
def _codes(column: str) -> list[str]:
    """The codes that a column of this name may hold; none where it has no list, or a site's own."""
    lists = {
        field.codes
        for contract in declare.load().values()
        for field in contract.columns
        if field.name == column and field.codes not in (None, "district", "sender", "yes_no")
    }
    return sorted({row["code"] for name in lists for row in declare.code_list(str(name)).rows})


def baseline(path: Path = BASELINE) -> dict[str, Any]:
    """The promise that is committed, as `declared` has it; empty before the first one."""
    found = orjson.loads(path.read_bytes()) if path.is_file() else {"codes": {}, "tables": {}}
    return {
        table: {
            **promise,
            "columns": [
                {"name": name, **dict(zip(("type", "alias_of"), kind.split(" = "), strict=False))}
                for name, kind in promise["columns"].items()
            ],
            "members": {name: found["codes"][name] for name in promise["columns"] if name in found["codes"]},
        }
        for table, promise in found["tables"].items()
    }


def text(promised: Mapping[str, Any]) -> str:
    """The promise as it is committed: codes once, a line for each column."""
    codes = {name: codes for promise in promised.values() for name, codes in promise["members"].items()}
    tables = {
        table: {
            **{name: value for name, value in promise.items() if name != "members"},
            "columns": {
                column["name"]: " = ".join(filter(None, (column["type"], column.get("alias_of"))))
                for column in promise["columns"]
            },
        }
        for table, promise in promised.items()
    }
    told = {"codes": dict(sorted(codes.items())), "tables": tables}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"


def problems(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A sentence on each change that breaks the committed promise without a step of `major`."""
    found = []
    for change in changes(before, after):
        if change.level != MAJOR:
            continue
        old, new = before[change.table]["major"], after.get(change.table, {}).get("major", 0)
        # A code that left its list, or an old name that was struck, is announced here by nothing else.
        if new <= old:
            way = f" Say `major: {old + 1}` in its meta, or keep it." if new else ""
            found.append(f"{change.table}: {change.words().en}.{way}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the baseline anew, or say what breaks; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--gone", nargs="*", default=[], metavar="TABLE", help="tables that are gone for good"
    )
    options = parser.parse_args(arguments)
    before, after = baseline(), declared()
    told = [line for line in problems(before, after) if line.partition(":")[0] not in options.gone]
    if told:
        sys.stderr.write("\n".join(["this breaks what was promised:", *told]) + "\n")
        return 1
    for change in changes(before, after):
        sys.stdout.write(f"{change.level} {change.table}: {change.words().en}\n")
    BASELINE.write_text(text(after), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
