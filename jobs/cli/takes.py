"""`./edulake evaluation takes` and `what-if`: the cheapest way to pass, and one's own figures tried out."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.balance import AsOf, SchoolsCsv, StandardName, apart, of_schools, print_notes, print_summary
from jobs.cli.options import OutputCsv, grouped
from jobs.screen import console, remarks
from jobs.settings import UserError
from jobs.site import nearest

if TYPE_CHECKING:
    from jobs.decide.evaluation.balance.takes import Change, Taken, Takes
    from jobs.decide.evaluation.balance.values import SchoolStage

_COLUMNS = ("district", "school", "stage", "change", "quantity", "amount", "other_school", "cost_yuan")


@dataclass(frozen=True, kw_only=True)
class Which:
    """What to look at, and at which costs."""

    district: Annotated[str | None, typer.Option(help="One district of the file. Default: each.")] = None
    school: Annotated[
        str | None, typer.Option(help="One school of the file, by itself; nobody is moved to it.")
    ] = None
    costs: Annotated[
        Path | None,
        typer.Option(
            help="CSV of costs: quantity, change (move or add), yuan_per_unit. Default: our assumptions,"
            " `expectations/standards/evaluation/balance_costs.csv`; what the file leaves out stays as there."
        ),
    ] = None


@grouped
def takes(input: SchoolsCsv, output: OutputCsv, which: Which, as_of: AsOf = None) -> None:
    """Find the cheapest changes with which a district's schools and coefficients pass (2017).

    测算达标所需的最低投入：区内教师交流、新聘、用房、场地、设备和多媒体教室，逐校列出。

    The input is that of `evaluation balance`. Writes district, school, stage, change, quantity, amount,
    other_school, cost_yuan: `receive` and `give` are the two ends of a teacher who moves within district and
    stage, the cost with the one who receives; `add` is hired, built or bought. Each answer is judged again by
    the exact rules. Costs are assumptions until a bureau gives its own: staff for five years, the rest once.

    Example: `./edulake evaluation takes --input schools.csv --output changes.csv`
    """
    from jobs.decide.evaluation.balance import school_file, takes_costs, verdict_file
    from jobs.decide.evaluation.balance import standard as rules
    from jobs.decide.evaluation.balance import takes as method

    begun = time.monotonic()
    apart(input, output, which.costs)
    on = as_of.date() if as_of else dt.date.today()
    law = rules.read(rules.QUALITY_2017, on)
    costs = takes_costs.read(on, which.costs)
    given = school_file.read_schools(input, law, on)
    print_notes(given.notes)
    chosen = _chosen(given.schools, which)
    with remarks.status("solving"):
        if which.school:
            parts = [method.takes_school(school, law, costs, on) for school in chosen]
            found = method.Takes([c for p in parts for c in p.changes], [g for p in parts for g in p.groups])
        else:
            found = method.takes(chosen, law, costs, on)
    lines = ((*change[:-1], verdict_file.money(change.cost_yuan)) for change in found.changes)
    verdict_file.write(output, _COLUMNS, lines)
    _print(found)
    remarks.say(f"{len(found.changes):,} changes in {output}, {time.monotonic() - begun:.1f} s")


def what_if(
    input: SchoolsCsv,
    changes: Annotated[
        Path,
        typer.Option(
            help="CSV of one's own numbers: school, stage, quantity, value (and district, where two have a"
            " school of that name). quantity is a column of the input, or pupils."
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="CSV to write; every row is marked is_what_if.")] = None,
    standard: StandardName = "quality_balance_2017",
    as_of: AsOf = None,
) -> None:
    """Try one's own figures: the verdict before and after. Nothing is published, no lake is touched.

    用本校、本区自己的数字试算：对比试算前后的结论；试算结果不会与已发布数据混在一起。

    Writes is_what_if, district, school, stage, indicator, value_before, value_after, verdict_before,
    verdict_after: coefficients of the districts that are touched (school empty), then the changed indicators
    of each changed school, and the school itself (indicator empty, values the indicators met).

    Example: `./edulake evaluation what-if --input schools.csv --changes my.csv`
    """
    from jobs.cli.options import output_file
    from jobs.decide.evaluation.balance import school_file, verdict_file
    from jobs.decide.evaluation.balance import standard as rules
    from jobs.decide.evaluation.balance import what_if as method

    apart(input, changes, output_file(output))
    on = as_of.date() if as_of else dt.date.today()
    law = of_schools(rules.read(standard, on))
    given = school_file.read_schools(input, law, on)
    print_notes(given.notes)
    pair = method.compare(given.schools, method.changed(changes, given.schools, law), law, on)
    if output:
        verdict_file.write(output, method.COLUMNS, method.rows(*pair))
        remarks.say(f"written: {output}")
    for words, balance in zip(("Before", "What if (试算), not published"), pair, strict=True):
        print_summary(balance, words)
    schools = [(row[2], *row[3:]) for row in method.rows(*pair) if row[2] is not None]
    columns = ("school", "stage", "indicator", "before", "after", "verdict\nbefore", "verdict\nafter")
    console.table(columns, schools, title="What if: schools that were changed")


def _chosen(schools: list[SchoolStage], which: Which) -> list[SchoolStage]:
    """The rows that are asked for. Raises UserError for a district or school that is not in the file."""
    for name, wanted in (("district", which.district), ("school", which.school)):
        known = list(dict.fromkeys(getattr(row, name) for row in schools))
        if wanted is not None and wanted not in known:
            raise UserError(
                f"the file has no {name} {wanted!r}{nearest(wanted, known)}.",
                f"It has {', '.join(known[:10])}{' …' if len(known) > 10 else ''}.",
            )
    return [
        row
        for row in schools
        if which.district in (None, row.district) and which.school in (None, row.school)
    ]


def _print(found: Takes) -> None:
    """Costs by kind, and a row a district and stage."""
    from jobs.decide.evaluation.balance.verdict_file import money

    kinds: dict[tuple[str, str], tuple[list[Change], set[str]]] = {}
    for change in found.changes:
        changes, schools = kinds.setdefault((change.quantity, change.change), ([], set()))
        changes.append(change)
        schools.add(f"{change.district} {change.school}")
    rows = [
        (*kind, f"{sum(c.amount for c in made):,}", len(at), f"{sum(float(c.cost_yuan) for c in made):,.0f}")
        for kind, (made, at) in sorted(kinds.items())
    ]
    console.table(("quantity", "change", "amount", "schools", "yuan"), rows, title="What it takes, by kind")
    groups = [
        (g.district, g.stage, g.verdict, g.schools_touched, f"{float(g.cost_yuan):,.0f}", _gap(g))
        for g in found.groups
    ]
    columns = ("district", "stage", "verdict\nbefore", "schools\ntouched", "yuan", "at most above\nthe least")
    console.table(columns, groups, title="By district")
    remarks.say(f"in all: {float(money(found.cost_yuan)):,.0f} yuan, by assumed costs")


def _gap(group: Taken) -> str:
    """By how much the answer may be above the cheapest, as far as is proven."""
    cost = float(group.cost_yuan)
    return f"{100 * (cost - group.bound_yuan) / cost:.2f} %" if cost else ""
