"""`edulake lineage`: from a column to the headings of senders' files, or from these to the marts."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.publish.lineage import Lineage
    from jobs.publish.lineage_sql import Point


def lineage(
    name: Annotated[
        str,
        typer.Argument(
            help="A column (`fct_fitness_rate.pass_share`), a table, a heading (`test_result.身高`, `身高`) "
            "or a code list (`standards.sex.code`)."
        ),
    ],
    site: Site = None,
    up: Annotated[
        bool | None,
        typer.Option(
            "--up/--down", help="What it is made of, or what is made of it. Default: up where there is."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="tree or json.")] = "tree",
) -> None:
    """Show a column's lineage: from marts through decisions and clean tables to the senders' headings.

    列的血缘：从集市列追溯到报送表头，或从表头查到用它的集市列。

    Each step is copied, renamed, computed, counted or filtered. A decision is known by its table: its column
    comes from what the modules that compute it read.

    Example: `./edulake lineage fct_fitness_rate.good_or_excellent_share`
    """
    from jobs.publish import lineage as graph
    from jobs.publish import lineage_told

    if form not in ("tree", "json"):
        raise UserError(f"--format {form} is not known.", "Give --format tree or --format json.")
    found = graph.of_site(site_settings.load(site))
    points = _asked(found, name)
    told = [
        lineage_told.told(found, point, bool(found.reads(point)) if up is None else up) for point in points
    ]
    if form == "json":
        console.say(json.dumps(told if len(told) > 1 else told[0], ensure_ascii=False, indent=1))
        return
    for one, point in zip(told, points, strict=True):
        if len(points) == 1:
            for line in _tree(found, point, one["direction"]):
                console.say(line)
        _summary(one)


def _asked(found: Lineage, name: str) -> list[Point]:
    """The points that a name means. Raises UserError with the nearest names where there are none."""
    from jobs.publish.lineage_sql import ROWS, Point

    points = list(found.points)
    relation, _, column = name.rpartition(".")
    exact = [p for p in points if p == Point(relation, column)]
    of_table = [p for p in points if p.relation == name and p.column != ROWS]
    of_name = [p for p in points if p.column == name and not found.reads(p)]
    if not exact:
        exact = _by_heading(relation, column)
    for match in (exact, of_table, of_name):
        if match:
            return match
    near = difflib.get_close_matches(name, [str(p) for p in points], n=5, cutoff=0.5)
    near += [str(p) for p in points if column and column == p.column and str(p) not in near][: 5 - len(near)]
    near += difflib.get_close_matches(name, sorted({p.relation for p in points}), n=3, cutoff=0.6)
    raise UserError(
        f"{name} is no column, table or heading that is known.",
        f"Did you mean {', '.join(f'`{one}`' for one in dict.fromkeys(near))}?"
        if near
        else "`docs/reference/marts.md` lists the marts.",
    )


def _by_heading(dataset: str, heading: str) -> list[Point]:
    """A heading as any sender writes it: the point of the template's own."""
    from jobs import declare
    from jobs.publish.lineage_sql import Point

    key = declare.heading_key(heading)
    return [
        Point(name, column.headings[0])
        for name, contract in declare.load().items()
        for column in contract.columns
        if dataset in ("", name) and key in map(declare.heading_key, column.headings)
    ]


def _tree(found: Lineage, point: Point, direction: str) -> Iterator[str]:
    """Lines of the tree of values; what is shown already is not unfolded again, filters are listed below."""
    from jobs.publish import meanings

    near = found.reads if direction == "up" else found.step_down
    seen: set[Point] = set()

    def lines(at: Point, indent: str) -> Iterator[str]:
        values = [(p, kind) for p, kind in near(at).items() if kind != "filtered"]
        for number, (other, kind) in enumerate(sorted(values, key=lambda edge: edge[0]), 1):
            is_last = number == len(values)
            is_known = other in seen and bool(near(other))
            seen.add(other)
            words = f"{meanings.words(other)[0]}{_by(other)}{'  （见上 see above）' if is_known else ''}"
            branch = "└─" if is_last else "├─"
            yield f"{indent}{branch} {meanings.KINDS_ZH[kind]} {kind}  {other}  {words}".rstrip()
            if not is_known:
                yield from lines(other, indent + ("   " if is_last else "│  "))

    zh, en = meanings.words(point)
    yield f"{point}  {zh}  {en}".rstrip()
    yield from lines(point, "")


def _by(point: Point) -> str:
    """Who computes a decision's column, for no SQL says how."""
    from jobs.publish import lineage as graph

    made = graph.decided_from().get(point.relation)
    return f"  （由 computed by jobs/decide/{made['made_by'][0]} …）" if made else ""


def _summary(told: dict[str, Any]) -> None:
    """The ends of a tree, and what chooses its rows."""
    shown = told["sources"] if told["direction"] == "up" else told["columns"]
    values = [one for one in shown if one["kind"] != "filtered"]
    chosen = [one["name"] for one in shown if one["kind"] == "filtered"]
    head = "来源 Sources" if told["direction"] == "up" else "用到它的列 Columns made of it"
    console.say("")
    console.say(f"{told['name']}  {told['zh']}")
    console.say(f"{head}: {len(values)}")
    for one in values:
        console.say(f"  {one['kind_zh']} {one['kind']}  {one['name']}  {one['zh']}".rstrip())
    if chosen:
        console.say(f"只用于取舍 Only in what is chosen: {', '.join(chosen)}")
    rows = told.get("rows_of") or [one["name"] for one in told.get("rows_chosen_by", ())]
    if rows:
        head = (
            "行的取舍依据 Rows chosen by"
            if told["direction"] == "up"
            else "行由它取舍的模型 Models whose rows it chooses"
        )
        console.say(f"{head}: {', '.join(rows)}")
