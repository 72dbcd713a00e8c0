"""`./edulake evaluation balance`: the law of quality balance for a file of schools, without a lake."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.options import OutputCsv, output_file
from jobs.screen import console, remarks
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.decide.evaluation.balance.resource import Balance
    from jobs.decide.evaluation.balance.standard import Standard

# A city has some twenty districts; of a whole province the file has all, the screen the first.
_MOST_SHOWN = 60

SchoolsCsv = Annotated[
    Path,
    typer.Option(help="CSV of schools, one row a school and stage; the columns are listed above."),
]
StandardName = Annotated[
    str, typer.Option(help="quality_balance_2017 (优质均衡) or basic_balance_2012 (基本均衡).")
]
AsOf = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Day whose rules apply. Default: today."),
]


def balance(
    input: SchoolsCsv,
    output: OutputCsv,
    schools_output: Annotated[
        Path | None, typer.Option(help="CSV of the schools' own verdicts to write.", callback=output_file)
    ] = None,
    standard: StandardName = "quality_balance_2017",
    as_of: AsOf = None,
) -> None:
    """Judge a file of schools by the law of quality balance: each school, and the differences between them.

    按《县域义务教育优质均衡发展督导评估办法》计算资源配置七项指标、学校达标情况和校际差异系数（按学生数加权）。

    Columns: district, school, stage (primary, junior; 小学, 初中), pupils, and for 2017 qualified_teachers,
    backbone_teachers, pe_arts_teachers, teaching_area_m2, sports_area_m2, equipment_value_yuan,
    multimedia_classrooms; for 2012 teaching_area_m2 (B1), sports_area_m2 (B2), equipment_value_yuan (B3),
    computers (B4), books (B5), teachers (B6), qualified_teachers (B7), titled_teachers (B8: middle title or
    higher). Chinese headings are taken too, as are GB 18030 and .gz.

    Optional columns, for special cases (flags 1 or 0): is_over_dense_center with extra_sports_area_m2
    (grounds on roofs, below ground, or rented within ten minutes on foot, added to R5); is_rural or
    is_teaching_point with shared_pe_arts_teachers (added to R3 of 50 to 99 pupils); is_teaching_point
    (under 50 pupils left out), is_special_or_vocational (left out); for 2012 is_public (0 left out),
    is_teaching_point (left out).

    Writes district, stage, indicator, mean, coefficient_of_variation, threshold (of the school value),
    schools, schools_below, verdict (of the coefficient: at most 0.50 in primary, 0.45 in junior schools;
    not_applicable for one school, or a mean of zero). A school without pupils is left out, and
    not_applicable in --schools-output. 2012: B1 to B8 have no threshold and the verdict not_applicable;
    B_COMPOSITE is the mean of their coefficients, its threshold the limit, its mean and schools_below empty.

    Example: `./edulake evaluation balance --input schools.csv --output verdicts.csv`
    """
    from jobs.decide.evaluation.balance import resource, school_file, verdict_file
    from jobs.decide.evaluation.balance import standard as rules

    begun = time.monotonic()
    apart(input, output, schools_output)
    on = as_of.date() if as_of else dt.date.today()
    law = of_schools(rules.read(standard, on))
    given = school_file.read_schools(input, law, on)
    found = resource.evaluate(given.schools, law, on)
    verdict_file.write(output, verdict_file.VERDICTS, verdict_file.verdict_rows(found))
    if schools_output:
        columns = verdict_file.school_columns(found)
        verdict_file.write(schools_output, columns, verdict_file.school_rows(found))
    print_notes([*given.notes, *left_out(found)])
    print_summary(found)
    count = len(found.schools)
    remarks.say(f"{count:,} schools and stages judged into {output}, {time.monotonic() - begun:.1f} s")


def of_schools(law: Standard) -> Standard:
    """The same standard, if it judges schools by quantities. Raises UserError for one that does not."""
    if not law.indicators:
        raise UserError(
            f"{law.name} does not judge schools by what they have.",
            "Give quality_balance_2017 or basic_balance_2012.",
        )
    return law


def apart(*paths: Path | None) -> None:
    """Raise UserError where two of the files are one."""
    given = [path.resolve() for path in paths if path]
    twice = next((path for path in given if given.count(path) > 1), None)
    if twice:
        raise UserError(f"{twice} is named twice.", "Give each file a name of its own; the input is kept.")


def print_notes(notes: list[str]) -> None:
    """Remarks about the input that are no faults."""
    for note in notes:
        remarks.say(("note:", "yellow"), f" {note}")


def left_out(found: Balance) -> list[str]:
    """Who was left out and why, in words, the first schools by name."""
    reasons: dict[str, list[str]] = {}
    for verdict in found.schools:
        if verdict.reason:
            reasons.setdefault(verdict.reason, []).append(f"{verdict.school.school} {verdict.school.stage}")
    return [
        f"left out ({reason}): {len(names):,}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
        for reason, names in reasons.items()
    ]


def print_summary(found: Balance, words: str = "Resource part") -> None:
    """A row a district and stage, on the answer's own stream."""
    from jobs.decide.evaluation.balance.verdict_file import summary

    rows = summary(found)
    columns = ("district", "stage", "schools", "failing\nschools", "widest\ncoefficient", "beyond\nlimit")
    console.table((*columns, "verdict"), rows[:_MOST_SHOWN], title=f"{words}, {found.standard.name}")
    if len(rows) > _MOST_SHOWN:
        remarks.say(f"… and {len(rows) - _MOST_SHOWN:,} more; the file has all.")
