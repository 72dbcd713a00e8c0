"""`./edulake feed`: what can be sent and in which form, receipts, and the reports that go back to senders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobs import settings as site_settings
from jobs.cli.options import Dataset, Limit, Site, output_file
from jobs.screen import console
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.declare import Contract
    from jobs.settings import Settings

app = typer.Typer(
    help="报送 What can be sent, in which form, and what became of each file.", no_args_is_help=True
)


@app.command(name="list")
def list_datasets() -> None:
    """List every dataset that can be sent: its feed, its Chinese name, who sends it, what one row is.

    可以报送的全部数据表：所属数据源、中文名、报送单位、一行代表什么。
    """
    from jobs import declare

    for feed in sorted({contract.feed for contract in declare.load().values()}):
        rows = [(c.dataset, c.zh, c.sender, c.grain) for c in declare.datasets_of(feed)]
        console.table(("dataset", "数据表", "sender", "one row"), rows, title=feed, breakable=("one row",))


@app.command()
def template(
    dataset: Dataset,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Workbook to write. Default: `<中文名>_模板.xlsx` in this folder.", callback=output_file
        ),
    ] = None,
) -> None:
    """Write the workbook that a sender fills in: headings, what each means, code lists to choose from.

    生成报送单位填写的工作簿模板：表头、填写说明、可选代码、示例行。

    Example: `./edulake feed template test_result`
    """
    from jobs.declare.template import write_template

    contract = _contract(dataset)
    target = output or Path(f"{contract.zh}_模板.xlsx")
    write_template(contract, target)
    console.say(f"{target}: {contract.zh}, {len(contract.columns)} columns")


@app.command()
def contract(
    dataset: Dataset,
    output: Annotated[
        Path | None, typer.Option(help="File to write. Default: it is printed.", callback=output_file)
    ] = None,
) -> None:
    """Print the contract as Open Data Contract Standard (YAML), valid by the standard's schema.

    以开放数据契约标准（ODCS）输出一张数据表的完整契约。
    """
    from jobs.declare.odcs import open_contract
    from jobs.files import OUTPUT_MODE, replacing

    text = open_contract(_contract(dataset)).to_yaml()
    if output is None:
        print(text, end="")
        return
    with replacing(output, OUTPUT_MODE) as fresh:
        fresh.write_text(text, encoding="utf-8")
    console.say(str(output))


@app.command()
def receipts(
    site: Site = None,
    sender: Annotated[str | None, typer.Option(help="Show only this sender.")] = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="Only this outcome: accepted, held, refused, repeated, failed or withdrawn."),
    ] = None,
    limit: Limit = 50,
) -> None:
    """List receipts, the newest delivery first: file, outcome, counts, reasons.

    查看各文件的回执：结果、行数、原因。
    """
    from jobs.declare import reasons
    from jobs.replies import report
    from jobs.replies.verdict import OUTCOMES
    from jobs.site import nearest

    settings = site_settings.load(site)
    if outcome is not None and outcome not in OUTCOMES:
        raise UserError(
            f"there is no outcome {outcome!r}{nearest(outcome, OUTCOMES) or '.'}",
            f"One of: {', '.join(OUTCOMES)}.",
        )
    found = report.receipts_of(settings, sender)
    if sender is not None and not found:
        senders = sorted({row["sender_code"] for row in report.receipts_of(settings)})
        raise UserError(
            f"{sender!r} has no receipt at {settings.site}{nearest(sender, senders) or '.'}",
            f"Senders: {', '.join(senders[:20])}{' …' if len(senders) > 20 else ''}.",
        )
    found = [r for r in found if outcome is None or report.stands_as(r) == outcome]
    counts = ("line_count", "accepted_count", "flagged_count", "refused_count")
    rows = [
        (
            *(r["receipt_id"], r["delivery_id"], r["file_name"], r["dataset"], report.stands_as(r)),
            *(f"{r[name]:,}" for name in counts),
        )
        for r in found[:limit]
    ]
    headings = ("receipt", "delivery", "file", "dataset", "outcome")
    console.table((*headings, "lines", "accepted", "flagged", "refused"), rows)
    for r in found[:limit]:
        if gone := r["withdrawal"]:
            told = (
                f"  {r['receipt_id']} withdrawn on {gone.withdrawn_on} by {gone.withdrawn_by}: {gone.reason}"
            )
            console.say(told)
        elif r["reasons"]:
            why = reasons.joined(r["reasons"], settings.language)
            console.say(f"  {r['receipt_id']} {r['outcome']}: {why}")
    if len(found) > limit:
        console.say(f"{limit} of {len(found)} receipts shown; --limit shows more")


@app.command()
def report(
    receipt: Annotated[
        str | None, typer.Argument(help="Id of a receipt, or its first characters (see `feed receipts`).")
    ] = None,
    all_of: Annotated[
        str | None, typer.Option("--all-of", help="Instead of one receipt, every receipt of this sender.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the two files that may be sent. Default: `lake/restricted/reports/<sender>`."
        ),
    ] = None,
    site: Site = None,
) -> None:
    """Write the sender's report: a workbook and a page without values, and the marked copy of the lines.

    生成反馈给报送单位的报告（不含个人数据）和标注了问题的原文件。
    """
    from jobs.declare import reasons
    from jobs.replies import report as reports
    from jobs.replies import report_files

    settings = site_settings.load(site)
    for row in _chosen(settings, receipt, all_of):
        made = reports.gather(settings, row)
        files = report_files.write(settings, made, out)
        console.say(
            f"{row['receipt_id']} {row['file_name'] or ''}: "
            f"{made.verdict.word.label(settings.language)}, {len(made.problems):,} 条问题"
        )
        for reason in row["reasons"] or []:
            console.say(f"  {reasons.sentence(reason, settings.language)}")
        if reports.stands_as(row) != "accepted" or made.problems:
            console.say(f"  {made.verdict.next_step.told(settings.language)}")
        for kind, file in files.items():
            note = " (restricted: holds values)" if kind == "marked" else ""
            console.say(f"  {kind}: {file}{note}")


@app.command()
def retry(
    receipt: Annotated[
        str, typer.Argument(help="Id of a receipt, or its first characters (see `feed receipts`).")
    ],
    site: Site = None,
) -> None:
    """Take a failed or refused file again: its receipt goes, and the next run reads it.

    重新读取读取失败或被退回的文件：撤销其回执，下次运行时重读。
    """
    from jobs.ingest import failures
    from jobs.replies import report as reports

    settings = site_settings.load(site)
    row = reports.find_receipt(settings, receipt)
    failures.retry(settings, row)
    console.say(
        f"{row['receipt_id']} {row['file_name']} waits. Next: {settings.command('run')}",
    )


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist yet.")],
    packages: Annotated[
        Literal["windows", "linux", "macos"] | None,
        typer.Option(help="Also fetch the packages for such a machine, from the package index."),
    ] = None,
    site: Site = None,
) -> None:
    """Make a folder with which a district checks files on its own machine, without network and lake.

    生成自查文件夹：拷到区里的电脑上，不联网即可在报送前核对文件。

    Example: `./edulake feed pack 自查 --packages windows`
    """
    from jobs.cli import packing

    settings = site_settings.load(site)
    made = packing.pack(settings, folder, packages)
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    console.say(f"{made}: {size / 1024**2:.1f} MB; 说明.txt says how it is used")


def _chosen(settings: Settings, receipt: str | None, sender: str | None) -> list[dict]:
    from jobs.replies import report as reports

    if (receipt is None) == (sender is None):
        raise UserError(
            "name a receipt, or a sender with --all-of.",
            f"`{settings.command('feed', 'receipts')}` lists both.",
        )
    if receipt is not None:
        return [reports.find_receipt(settings, receipt)]
    found = reports.receipts_of(settings, sender)
    if not found:
        raise UserError(
            f"{sender!r} has no receipt at {settings.site}.",
            f"`{settings.command('feed', 'receipts')}` lists them.",
        )
    return found


def _contract(dataset: str) -> Contract:
    from jobs import declare
    from jobs.site import nearest

    known = declare.load()
    if dataset not in known:
        raise UserError(
            f"there is no dataset `{dataset}`{nearest(dataset, list(known)) or '.'}",
            f"One of: {', '.join(sorted(known))}.",
        )
    return known[dataset]
