"""Write a report in the formats asked for, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from jobs.files import OUTPUT_MODE, replacing
from jobs.reports import html_page
from jobs.reports.model import Report
from jobs.settings import writing


def _html(report: Report) -> bytes:
    return html_page.page(report).encode("utf-8")


def _pdf(report: Report) -> bytes:
    # Imported late: a compiler of fifty megabytes, which a page does without.
    from jobs.reports import pdf_file

    return pdf_file.pdf(report)


def _docx(report: Report) -> bytes:
    from jobs.reports import docx_file

    return docx_file.file(report)


FORMATS: dict[str, Callable[[Report], bytes]] = {"html": _html, "pdf": _pdf, "docx": _docx}


def write(report: Report, folder: Path, formats: list[str]) -> Iterator[Path]:
    """Write `<slug>.<format>` for each format; yields each path once it is there. Raises UserError."""
    with writing(folder, of_lake=False):
        folder.mkdir(parents=True, exist_ok=True)
        for name in formats:
            target = folder / f"{report.slug}.{name}"
            made = FORMATS[name](report)
            with replacing(target, OUTPUT_MODE) as fresh:
                fresh.write_bytes(made)
            yield target


def rare(report: Report) -> str:
    """Characters of the report that the font of `infra/fonts` has not."""
    from jobs.reports import pdf_file

    return pdf_file.rare(pdf_file.words(report))
