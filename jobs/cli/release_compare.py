"""`./edulake release diff | changes | make`: what differs between releases, and making one again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site, TableOrJson
from jobs.screen import console

if TYPE_CHECKING:
    from jobs.publish.diff import Diff, Rows, Table
    from jobs.publish.release import Release
    from jobs.settings import Settings

_MOST_LINES = 6
# Characters of a value in an example.
_CUT = 40


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Number or name of the earlier release.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Number or name of the later one, or the draft.")],
    table: Annotated[str | None, typer.Option(help="Compare this table alone, with more examples.")] = None,
    site: Site = None,
    format_: TableOrJson = "table",
) -> None:
    """Compare two releases: tables, columns, members, rows, values beyond tolerance, by district, and the
    deliveries that caused it.

    比较两个版本：表、字段、成员、行、超出容差的数值，按区列出，并指出引起变化的报送。

    Example: `./edulake release diff 3 4 --table fct_fitness_rate`
    """
    from jobs.publish import diff as compared

    settings = site_settings.load(site)
    a, b = _release(settings, before), _release(settings, after)
    found = compared.compare(settings, a, b, table, examples=10 if table else 3)
    if format_ == "json":
        typer.echo(json.dumps(_told(found), ensure_ascii=False, indent=1))
        return
    if not found.tables:
        console.say(f"{a.number} → {b.number}: 无差异 nothing differs ({found.equal} tables)")
        return
    heads = ("数据表\ntable", "版本\nversion", "行\nrows", "增\nnew", "减\ngone", "改\nchanged", "变更\nwhat")
    rows = [
        (
            one.name,
            f"{one.version_before} → {one.version_after}",
            f"{one.rows_before:,} → {one.rows_after:,}",
            one.rows.added or "",
            one.rows.gone or "",
            one.rows.changed or "",
            "\n".join(_lines(one, 10 if table else 1)),
        )
        for one in found.tables
    ]
    console.table(heads, rows, title=f"{a.number} → {b.number}", breakable=(heads[6],))
    console.say(f"无差异 equal: {found.equal} tables")
    _say_causes(found)


def _lines(one: Table, examples: int) -> list[str]:
    """What differs in a table, a line each, the first ones of many."""
    lines = [f"{c.words().zh} {c.words().en}" for c in one.changes if c.kind != "values"]
    for column in one.columns[:_MOST_LINES]:
        most = f", ≤ {column.greatest:g}" if column.greatest else ""
        lines.append(f"{column.name}: {column.changed:,}{most}")
    if len(one.columns) > _MOST_LINES:
        lines.append(f"… {len(one.columns) - _MOST_LINES} columns more")
    worst = sorted(one.districts.items(), key=lambda pair: -_count(pair[1]))[:_MOST_LINES]
    if worst:
        lines.append(
            "按区 by district: " + ", ".join(f"{code or '—'} {_count(rows):,}" for code, rows in worst)
        )
    for cell in one.examples[:examples]:
        key = ", ".join(cell.key.values())
        lines.append(f"例 e.g. {key}: {cell.column} {cell.before[:_CUT]} → {cell.after[:_CUT]}")
    if one.causes:
        feeds = sorted({delivery.dataset for delivery in one.causes})
        more = f" … {len(feeds) - _MOST_LINES}" if len(feeds) > _MOST_LINES else ""
        lines.append(f"报送 deliveries: {', '.join(feeds[:_MOST_LINES])}{more}")
    return lines


def _count(rows: Rows) -> int:
    return rows.added + rows.gone + rows.changed


def _say_causes(found: Diff) -> None:
    if found.is_other_day:
        console.say("数据日期不同 they show different days")
    if found.is_other_code:
        console.say("代码不同 other code or settings made them")
    heads = ("数据集\ndataset", "区\ndistrict", "文件\nfiles", "接受行数\nrows")
    rows = [
        (one.dataset, one.district_code, one.file_count, one.accepted_row_count) for one in found.deliveries
    ]
    if rows:
        console.table(heads, rows, title="其间接受的报送 accepted between them")


def _told(found: Diff) -> dict[str, Any]:
    told = asdict(found)
    for one, table in zip(told["tables"], found.tables, strict=True):
        for change, of in zip(one["changes"], table.changes, strict=True):
            change |= {"zh": of.words().zh, "en": of.words().en}
    return {"is_equal": not found.tables, **told}


def make(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="Number or name of the release.")],
    site: Site = None,
) -> None:
    """Make an old release again from its manifest and compare it, or say why that cannot be.

    按清单重做旧版本并逐表比对；不能重做时说明原因。

    One that is kept no longer is put back if every table is equal. Exit code 1: it could not be made, or
    differs.
    """
    from jobs.publish import kept, remake

    settings = site_settings.load(site)
    done = remake.make(settings, kept.numbered(settings, release))
    for reason in done.reasons:
        console.say(f"{reason.zh}。 {reason.en}.")
    if not done.is_equal:
        if done.unequal:
            console.say(f"不一致 unequal: {', '.join(done.unequal)} ({len(done.equal)} equal)")
        else:
            console.say(f"release {done.number} was not made.")
        raise typer.Exit(1)
    console.say(f"release {done.number}: 全部一致 all {len(done.equal)} tables are equal")
    if done.is_put_back:
        name = settings.command("release", "name", str(done.number), "…")
        console.say(f"it was put back, and goes with the next publication unless it gets a name: {name}")


def _release(settings: Settings, text: str) -> Release:
    from jobs.publish import drafts, kept

    number = kept.numbered(settings, text)
    return drafts.find(settings, number) or kept.published(settings, number)


def changes(
    release: Annotated[
        str | None,
        typer.Argument(metavar="[RELEASE]", help="Number or name. Default: the draft or current one."),
    ] = None,
    site: Site = None,
    format_: TableOrJson = "table",
) -> None:
    """Tell how the tables of a release differ from those of the one before it, and the version of each.

    列出各数据表的版本号，以及与上一版本相比的变更。
    """
    from jobs.publish import drafts
    from jobs.publish.contract import Change
    from jobs.publish.release import current

    settings = site_settings.load(site)
    found = _release(settings, release) if release else drafts.waiting(settings) or current(settings)
    if found is None:
        console.say(f"no release of {settings.site} yet: {settings.command('run')}")
        return
    changed = [Change(**change) for change in found.manifest.get("changes", [])]
    versions = found.manifest.get("versions", {})
    before = found.manifest.get("compared_with")
    if format_ == "json":
        listed = [
            {**vars(one), "version": versions.get(one.table), "zh": one.words().zh, "en": one.words().en}
            for one in changed
        ]
        told = {"release": found.number, "compared_with": before, "versions": versions, "changes": listed}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    if before is None:
        console.say(f"release {found.number}: 首个版本 the first one; {len(versions)} tables.")
        return
    rows = [
        (one.table, versions.get(one.table, ""), one.level, f"{one.words().zh}\n{one.words().en}")
        for one in changed
    ]
    heads = ("数据表\ntable", "版本\nversion", "级别\nlevel", "变更\nchange")
    console.table(heads, rows, title=f"{before} → {found.number}", breakable=(heads[3],))
