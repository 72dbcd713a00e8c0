"""The process that judges what was handed in: bounded in memory, and gone with the server.

It answers one job after the other. A job that needs more than the bounds ends the process; the file then
waits for the run, which reads with bounds of its own.
"""

from __future__ import annotations

import gc
import os
import pickle
import resource
import select
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from jobs import faults
from jobs import settings as site_settings
from jobs.declare.words import Text
from jobs.files import replacing
from jobs.ingest import trial
from jobs.ingest.trial import Trial
from jobs.ingest.verdicts import Filed
from jobs.replies import marked_copy, report, report_files, verdict
from jobs.replies.report import Report
from jobs.settings import Settings
from portal.door import answers
from portal.door.judging import unwritten

# Above what the process holds when it starts: DuckDB's bound while it judges, and the report.
MEMORY_BYTES = 6 * 1024**3
# What a sender does next while no run has taken the file.
NEXT = {
    verdict.ACCEPTED: Text(
        "已收下，数据行全部合格，下一次入湖处理后生效，不必重报。",
        "Received; all rows are sound and count after the next run. Nothing needs to be sent again.",
    ),
    verdict.IN_DOUBT: Text(
        "已收下，下一次入湖处理后生效；请核实标为“核对”或“存疑”的行，有误的更正后重报，无误的不必重报。",
        "Received, and counts after the next run. Check the rows marked 核对 or 存疑: correct what is wrong"
        " and send it again; what is right stays as it is.",
    ),
    verdict.PARTLY: Text(
        "合格的行下一次入湖处理后生效；请按标注更正“退回”的行后重报，只报更正的行即可，要求整表报送的须整表重报。",
        "The accepted rows count after the next run. Correct the refused rows as marked and send them again,"
        " those rows alone, unless the table is one that is sent whole.",
    ),
}
# Of a file's problems, those that are told at once; the report has all.
_SHOWN = 10


def serve(descriptor: int) -> None:
    """Answer jobs until the other side is gone."""
    threading.Thread(target=_end_with, args=[os.pidfd_open(os.getppid())], daemon=True).start()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY:
        most = psutil.Process().memory_info().vms + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    # What happens to wait for the machine is shown first.
    with suppress(OSError):
        os.nice(5)
    with suppress(EOFError, OSError, KeyboardInterrupt), closing(Connection(descriptor)) as theirs:
        theirs.send(_answer(theirs.recv()))
        # What the first job loaded stays: it is not gone through again at each collection.
        gc.collect()
        gc.freeze()
        while True:
            theirs.send(_answer(theirs.recv()))


def _end_with(parent: int) -> None:
    select.select([parent], [], [])
    os._exit(1)


def _answer(job: Mapping[str, Any]) -> Any:
    try:
        settings = site_settings.load(job["site"], job["home"])
        return _JOBS[job["do"]](settings, job)
    except MemoryError:
        os._exit(1)
    except Exception as error:
        # Its text might quote a cell; where it happened does not.
        return RuntimeError(faults.without_values(error))


def _judge(settings: Settings, job: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Judge a delivery's files. Number of the file -> its verdict. What their reports are made of lies in the
    folder `into`: nobody waits for them before the verdict is told.
    """
    into = Path(job["into"])
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = [Path(path) for _, path in job["files"]]
    made = trial.judge(
        settings,
        files,
        job["sender"],
        date.fromisoformat(job["received"]),
        feed=job["feed"],
        delivery_no=job["delivery_no"],
        waiting=_waiting(settings, job["waiting"]),
        keep=into,
    )
    told = {}
    for (n, _), one in zip(job["files"], made, strict=True):
        found = report.of_trial(settings, one, NEXT)
        for name, what in ((f"{n}.filed", one.filed), (unwritten(into, n).name, (found, one.lines))):
            with replacing(into / name) as fresh:
                fresh.write_bytes(pickle.dumps(what))
        told[n] = _told(found, one)
    return told


def _write(_: Settings, job: Mapping[str, Any]) -> None:
    """Write the reports of judged files, of those that have none yet. Done twice it writes the same."""
    into = Path(job["into"])
    for n in job["files"]:
        try:
            found, lines = pickle.loads(unwritten(into, n).read_bytes())
        except FileNotFoundError:
            continue
        # The lines of a pupil who was forgotten meanwhile are gone.
        is_there = lines is not None and lines.is_file()
        report_files.write_trial(found, lines if is_there else None, into, str(n))
        unwritten(into, n).unlink(missing_ok=True)
        if lines is not None:
            lines.unlink(missing_ok=True)


def _waiting(settings: Settings, listed: list[tuple[str, str]]) -> list[Filed]:
    """What earlier hand-ins of the sender were judged as, of those that no run has taken yet."""
    from jobs.lake import tables

    done = {row["receipt_id"] for row in tables.rows(settings, "ops__receipt", ["receipt_id"])}
    found = []
    for receipt_id, path in listed:
        if receipt_id not in done and Path(path).is_file():
            found.append(pickle.loads(Path(path).read_bytes()))
    return found


def _told(found: Report, one: Trial) -> dict[str, Any]:
    receipt = one.receipt
    word, following = found.verdict, found.next_step
    names = ("receipt_id", "dataset", "outcome", "line_count", "accepted_count", "refused_count")
    return {
        **{name: getattr(word, name) for name in ("code", "zh", "en")},
        "next_zh": following.zh,
        "next_en": following.en,
        **{name: receipt[name] for name in (*names, "flagged_count")},
        "finding_count": len(one.findings),
        "unchecked": [{"zh": rule.asked.zh, "en": rule.asked.en} for rule in one.unchecked],
        "reasons": answers.told_reasons(receipt["reasons"]),
        "remarks": answers.told_reasons(receipt["remarks"]),
        "problem_count": len(found.problems),
        "problems": [
            {
                "severity": problem.severity,
                "severity_told": problem.severity_told,
                "member": problem.member or None,
                "sheet": problem.sheet or None,
                "line": problem.line or None,
                "column": problem.heading,
                "asked": problem.asked,
                "wrong": problem.wrong,
                "do": problem.do,
            }
            for problem in found.problems[:_SHOWN]
        ],
        "is_marked": one.lines is not None and marked_copy.is_called_for(found),
        "is_at_door": False,
    }


def _report(settings: Settings, job: Mapping[str, Any]) -> dict[str, str]:
    """Write the reports of a receipt. Kind -> where it lies."""
    found = report.gather(settings, report.find_receipt(settings, job["receipt_id"]))
    return {kind: str(path) for kind, path in report_files.write(settings, found).items()}


_JOBS = {"judge": _judge, "write": _write, "report": _report}
