"""`./edulake check FILE…`: what the lake would say of files, before anybody hands them in.

Also the one command of the folder that a district carries to its own machine (`jobs.cli.packing`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import ReceivedDay, Site, grouped
from jobs.screen import console, remarks
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.ingest.trial import Trial
    from jobs.replies.report import Report

FINE, TO_MEND, WRONG_USE = 0, 1, 2
# Of each file so many lines are printed; the report has all.
SHOWN = 10


@dataclass(frozen=True)
class Handed:
    """How the files would be handed in."""

    sender: Annotated[
        str | None,
        typer.Option(
            help="Code of the sender. Without it no rule on senders is checked, and no lake is asked."
        ),
    ] = None
    feed: Annotated[
        str | None, typer.Option(help="The feed that they are for. Default: each file's headings tell.")
    ] = None
    received: ReceivedDay = None
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no lake, though there is one: file and row rules alone.")
    ] = False


@grouped
def check(
    files: Annotated[list[Path], typer.Argument(help="Files, archives, or folders with files.")],
    handed: Handed,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a report of each file and its lines with marks. It holds values."),
    ] = None,
    site: Site = None,
) -> None:
    """Say what the lake would say of files, before they are handed in. Nothing is written to the lake.

    报送前自查：按与入湖相同的读取程序和规则给出结论、问题行和改法；没有数据湖的电脑上也能用。

    Ends with 0 where nothing needs to be mended, 1 where something does, 2 for a wrong use.

    Example: `./edulake check 在籍学生名册.xlsx --sender 110105`
    """
    try:
        settings = site_settings.load(site)
        with _folder(out) as keep, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as aside:
            found = _parted(settings, _files(files), handed.feed, Path(aside))
            trials = _judged(settings, found, handed, keep)
            codes = [_tell(settings, file, trial, out) for file, trial in zip(found, trials, strict=True)]
            _sum_up(settings, codes)
    except UserError as error:
        remarks.say(("Error", "bold red"), f" {error.message}")
        remarks.say(("What to do", "bold"), f" {error.way_out}")
        raise typer.Exit(WRONG_USE) from error
    raise typer.Exit(max(codes))


def alone() -> None:
    """Be the only command, as in the folder of `feed pack`."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(check)
    app(prog_name="check")


_COUNTS = {
    "line_count": ("数据行", "lines"),
    "accepted_count": ("合格行", "accepted"),
    "flagged_count": ("其中存疑", "of these in doubt"),
    "refused_count": ("退回行", "refused"),
}


def _files(given: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named. Raises UserError where there is none."""
    from jobs.files import is_hidden, readable

    found = []
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            found += [f for f in inside if not any(map(is_hidden, f.relative_to(path).parts))]
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"there is no file {readable(str(path))}.", "Name files, or a folder of files.")
    if not found:
        raise UserError("the folder holds no file.", "Name files, or a folder of files.")
    return found


def _parted(settings: Settings, files: Sequence[Path], feed: str | None, aside: Path) -> list[Path]:
    """The files as they would be landed: one of several datasets is one file for each of them."""
    from jobs import declare
    from jobs.reading import parts

    if feed is not None and feed not in settings.feeds:
        raise UserError(
            f"the feed {feed!r} is not on at {settings.site}.", f"Feeds: {', '.join(settings.feeds)}."
        )
    contracts = [one for name in ([feed] if feed else settings.feeds) for one in declare.datasets_of(name)]
    found = []
    for number, file in enumerate(files):
        for part in parts.parts(file, contracts):
            if isinstance(part.content, Path):
                found.append(part.content)
                continue
            found.append(aside / str(number) / part.name)
            found[-1].parent.mkdir(exist_ok=True)
            found[-1].write_bytes(part.content)
    return found


@contextmanager
def _folder(out: Path | None) -> Iterator[Path | None]:
    """Beside the reports, a folder for the files' lines until they are written."""
    if out is None:
        yield None
        return
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file.", "Give --out the name of a folder.")
    with ExitStack() as stack:
        with site_settings.writing(out, of_lake=False):
            out.mkdir(parents=True, exist_ok=True)
            aside = tempfile.TemporaryDirectory(dir=out, prefix=".", ignore_cleanup_errors=True)
        yield Path(stack.enter_context(aside))


def _judged(settings: Settings, files: Sequence[Path], handed: Handed, keep: Path | None) -> list[Trial]:
    from jobs.ingest import trial

    has_lake = os.access(settings.restricted, os.R_OK | os.X_OK)
    is_offline = handed.offline or handed.sender is None or not has_lake
    day = handed.received.date() if handed.received else _today(settings, is_offline)
    with remarks.status("") as status:

        def tell(number: int, name: str) -> None:
            status.update(f"{number}/{len(files)} {name}")

        return trial.judge(
            settings, files, handed.sender, day, feed=handed.feed, offline=is_offline, keep=keep, tell=tell
        )


def _today(settings: Settings, is_offline: bool) -> date:
    from jobs import clock
    from jobs.lake import arrival

    return clock.today(settings.timezone) if is_offline else arrival.day_of_receipt(settings)


def _tell(settings: Settings, file: Path, trial: Trial, out: Path | None) -> int:
    """Print what is said of a file, and write its report where that is wanted. Returns an exit code."""
    from jobs.files import readable
    from jobs.replies import report_files, verdict
    from jobs.replies.report import of_trial

    report = of_trial(settings, trial, verdict.BEFORE)
    console.say((f"{readable(file.name)}: ", ""), (report.verdict.word.label(settings.language), "bold"))
    for words in _said(report):
        console.say(f"  {words}")
    if out is not None:
        for made in report_files.write_trial(report, trial.lines, out, f"{file.stem}_核对").values():
            console.say(f"  {made}")
    return TO_MEND if report.verdict.code in verdict.TO_MEND else FINE


def _sum_up(settings: Settings, codes: Sequence[int]) -> None:
    """Of several files, how many are to be mended."""
    from jobs.declare.words import Text

    if (count := len(codes)) > 1:
        mend = sum(code == TO_MEND for code in codes)
        said = Text(f"共 {count} 个文件，{mend} 个需要更正。", f"{count} files, {mend} to mend.")
        console.say(said.label(settings.language))


def _said(report: Report) -> Iterator[str]:
    """What is said of a file, line by line: its table and counts, why, the first problems, the next step."""
    from jobs.declare import reasons
    from jobs.declare.words import Text
    from jobs.replies.report import WHOLE_TABLE

    language, receipt = report.language, report.receipt
    if report.contract:
        name = Text(report.contract.zh, report.contract.en).label(language)
        counts = [(Text(*told).label(language), receipt[count]) for count, told in _COUNTS.items()]
        yield f"{name}: " + ", ".join(f"{text} {count:,}" for text, count in counts)
    for reason in (*receipt["reasons"], *receipt["remarks"]):
        yield reasons.sentence(reason, language)
    for problem in report.problems[:SHOWN]:
        place = "".join(f"“{name}” " for name in (problem.member, problem.sheet) if name)
        where = WHOLE_TABLE.label(language)
        if problem.line:
            where = Text(f"第{problem.line}行", f"line {problem.line}").label(language)
        yield f"[{problem.severity_told}] {place}{where} {problem.heading}: {problem.wrong} → {problem.do}"
    if (left := len(report.problems) - SHOWN) > 0:
        more = Text(f"另有 {left:,} 处，加 --out 可得全部。", f"{left:,} more: --out writes all of them.")
        yield more.label(language)
    if report.unchecked:
        yield f"{Text('未在本机核对', 'not checked here').label(language)}: {'; '.join(report.unchecked)}"
    yield f"{Text('下一步', 'next').label(language)}: {report.next_step.told(language)}"
