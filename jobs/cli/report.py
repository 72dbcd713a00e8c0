"""`./edulake feed receipts` and `./edulake feed report`: what came of senders' files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jobs import settings as site_settings
from jobs.settings import UserError

console = Console(highlight=False)
Site = Annotated[str | None, typer.Option("--site", help="A site of infra/sites; else the one last run.")]


def receipts(
    site: Site = None,
    sender: Annotated[str | None, typer.Option(help="Only this sender's.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only this outcome: accepted, held, refused, repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Receipts shown, the newest first.")] = 50,
) -> None:
    """List receipts, the newest delivery first: file, outcome, counts, reasons."""
    from jobs.replies import report

    found = report.receipts_of(site_settings.load(site), sender)
    found = [r for r in found if outcome is None or r["outcome"] == outcome]
    table = Table(
        "receipt", "delivery", "file", "dataset", "outcome", "lines", "accepted", "flagged", "refused"
    )
    for r in found[:limit]:
        counts = [
            f"{r[name]:,}" for name in ("line_count", "accepted_count", "flagged_count", "refused_count")
        ]
        table.add_row(
            r["receipt_id"], r["delivery_id"], r["file_name"], r["dataset"] or "", r["outcome"], *counts
        )
    wide = console if console.is_terminal else Console(highlight=False, width=1000)
    wide.print(table)
    for r in found[:limit]:
        if r["reasons"]:
            wide.print(f"  {r['receipt_id']} {r['outcome']}: {'; '.join(r['reasons'])}", soft_wrap=True)
    if len(found) > limit:
        wide.print(f"{limit} of {len(found)} receipts shown; --limit shows more")


def report(
    receipt: Annotated[
        str | None, typer.Argument(help="A receipt's id, or how it begins (`./edulake feed receipts`).")
    ] = None,
    all_of: Annotated[
        str | None, typer.Option("--all-of", help="Every receipt of this sender instead of one.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the two files that may leave; else reports/<sender>.")
    ] = None,
    site: Site = None,
) -> None:
    """Write the sender's report: a workbook and a page in Chinese without values, and the marked copy."""
    from jobs.replies import report as reports
    from jobs.replies import report_files

    settings = site_settings.load(site)
    for row in _chosen(settings, receipt, all_of):
        made = reports.gather(settings, row)
        files = report_files.write(settings, made, out)
        console.print(
            f"{row['receipt_id']} {row['file_name']}: {reports.OUTCOMES[row['outcome']]}, "
            f"{len(made.problems):,} 条问题",
            soft_wrap=True,
        )
        for reason in row["reasons"] or []:
            console.print(f"  {reason}", soft_wrap=True)
        if made.receipt["outcome"] != "accepted" or made.problems:
            console.print(f"  {reports.WAY_OUT[row['outcome']]}", soft_wrap=True)
        for kind, file in files.items():
            note = " (restricted: holds values)" if kind == "marked" else ""
            console.print(f"  {kind}: {file}{note}", soft_wrap=True)


def _chosen(settings: Any, receipt: str | None, sender: str | None) -> list[dict[str, Any]]:
    from jobs.replies import report as reports

    if (receipt is None) == (sender is None):
        raise UserError("name a receipt, or a sender with --all-of.", "`./edulake feed receipts` lists both.")
    if receipt is not None:
        return [reports.find_receipt(settings, receipt)]
    found = reports.receipts_of(settings, sender)
    if not found:
        raise UserError(
            f"{sender!r} has no receipt at {settings.site}.", "`./edulake feed receipts` lists them."
        )
    return found


def mount(app: typer.Typer) -> None:
    """Put both commands on the `feed` application."""
    app.command()(receipts)
    app.command()(report)
