"""Kill one process of a run at one moment, both chosen by a seed, and run again: what `test_chaos` compares.

The site is the smallest that has everything: two districts of the synthetic city, a release, and files that
wait. A moment is something that a run writes (a commit, a note, a folder), seen from outside; no clock is
asked. A seed names one death for good: `./edulake test --chaos --seed 17` dies it again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jobs import settings as site_settings
from jobs.lake import receipt_text, runs, tables
from jobs.processes import living
from jobs.publish import release
from jobs.settings import ROOT, Settings
from synthetic.city.landing import CITY_YEARS
from synthetic.city.write import write_city

from .by_tasks import run_by_tasks

FEEDS = ("enrollment", "physical_fitness")
# Files received from this day on wait; those before are in the first release.
SECOND_DAY = "2025-09-20"
# Seconds. They only end a wait for something that will never come.
LONGEST_RUN, LONGEST_END = 1500, 60
_POLL = 0.002

# The processes of a run.
COMMAND, LAUNCHER, SCHEDULER, API, PARSER, WORKER, TASK, READER, JAVA, DBT = (
    "command",
    "launcher",
    "scheduler",
    "api-server",
    "dag-processor",
    "worker",
    "task",
    "reader",
    "java",
    "dbt",
)
# Moment -> what a run writes then (below the site's home), and who is killed there.
MOMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run opened": ("lake/ops__run/_delta_log/*.json", (COMMAND,)),
    "engine noted": ("run/spark.json", (COMMAND, JAVA)),
    "airflow noted": ("run/airflow.json", (COMMAND, LAUNCHER, SCHEDULER, API, PARSER)),
    "batch noted": ("lake/restricted/batches/*/*.json", (COMMAND, TASK, WORKER)),
    "file being read": ("lake/restricted/stage/*/*.arrow", (READER, TASK)),
    "raw lines": ("lake/restricted/raw_*/_delta_log/*.json", (TASK, SCHEDULER, API)),
    "lines judged": ("lake/restricted/stage/*_judged", (TASK, JAVA)),
    "identifiers": ("lake/restricted/person_identifier/_delta_log/*.json", (TASK,)),
    "clean rows": ("lake/restricted/clean_*/_delta_log/*.json", (TASK, JAVA, COMMAND, LAUNCHER)),
    "general rows": ("lake/clean_*/_delta_log/*.json", (TASK,)),
    "refused rows": ("lake/ops__refused_row/_delta_log/*.json", (TASK,)),
    "typed text": ("lake/restricted/receipt_text/_delta_log/*.json", (TASK, COMMAND)),
    "receipts": ("lake/ops__receipt/_delta_log/*.json", (TASK, COMMAND, JAVA, SCHEDULER)),
    "scores": ("lake/restricted/decision_*/_delta_log/*.json", (TASK, COMMAND)),
    "decisions": ("lake/decision_*/_delta_log/*.json", (TASK, JAVA, COMMAND, LAUNCHER)),
    "versions pinned": ("run/pins-*.json", (TASK, COMMAND, PARSER)),
    "marts": ("lake/restricted/builds/build-*.duckdb", (DBT, TASK, COMMAND, SCHEDULER)),
    "marts built": ("lake/restricted/builds/build-*.manifest.json", (TASK, COMMAND)),
    "checks": ("lake/ops__check/_delta_log/*.json", (TASK, WORKER)),
    "release aside": ("releases/.build-*", (TASK, COMMAND, LAUNCHER)),
    "release in place": ("releases/*/manifest.json", (TASK, COMMAND)),
    "pointer moved": ("releases/CURRENT", (TASK, COMMAND, SCHEDULER, API)),
    "run published": ("lake/ops__run/_delta_log/*.json", (TASK, COMMAND, JAVA)),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Death:
    """Who dies when, and by which signal; `nth` of the commits of its moment, counted from one."""

    seed: int
    moment: str
    process: str
    signal: signal.Signals
    nth: int

    def __str__(self) -> str:
        return f"{self.seed:3} {self.signal.name} to {self.process} at {self.moment} {self.nth}"


def death(seed: int, counts: dict[str, int]) -> Death:
    """The death of a seed. As many seeds in a row as there are pairs of process and moment try each pair."""
    pairs = [(moment, process) for moment, (_, killed) in MOMENTS.items() for process in killed]
    random.Random(7).shuffle(pairs)
    moment, process = pairs[seed % len(pairs)]
    chosen = random.Random(seed)
    nth = 2 if moment == "run published" else chosen.randint(1, max(1, counts.get(moment, 1)))
    # Half of them by the signal that leaves no time for anything.
    how = chosen.choice((signal.SIGKILL, *SIGNALS))
    return Death(seed, moment, process, how, 1 if moment == "run opened" else nth)


# The site


def make_site(home: Path) -> Settings:
    """Two districts of the smallest city, none of whose files was taken yet; the later ones are set aside."""
    sites = home / "sites"
    shutil.copytree(ROOT / "infra" / "sites" / "beijing", sites / "beijing")
    lines = (ROOT / "infra" / "sites" / "beijing.yaml").read_text(encoding="utf-8").splitlines()
    changed = {"feeds": f"[{', '.join(FEEDS)}]", "services": "[fitness]", "input": ""}
    kept = [line for line in lines if line.split(":")[0] not in changed]
    kept += [f"{name}: {value}" for name, value in changed.items() if value]
    (sites / "beijing.yaml").write_text("\n".join(kept), encoding="utf-8")
    os.environ["EDULAKE_SITES"] = str(sites)
    settings = site_settings.load("beijing", home).prepare()
    write_city(home / "city", scale=0.001, seed=7, years=CITY_YEARS, on_progress=lambda _: None)
    for file in sorted((home / "city").rglob("*")):
        feed, sender = [*file.relative_to(home / "city").parts, "", ""][:2]
        is_ours = sender in {"110101", "110102"} or sender[1:-3] in {"111901", "411901", "111902", "411902"}
        if file.is_file() and feed in FEEDS and is_ours:
            waits = file.parent.name >= SECOND_DAY
            target = (home / "waiting" if waits else settings.landing) / file.relative_to(home / "city")
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(home / "city")
    return settings


def hand_in(settings: Settings) -> None:
    """Let the files that wait appear in landing."""
    shutil.copytree(settings.home.parent / "waiting", settings.landing, dirs_exist_ok=True)
    settings.prepare()


def take(settings: Settings) -> None:
    """One undisturbed run, by its tasks in this process; the environment names the site."""
    run_by_tasks(settings, "command")


def counted(settings: Settings) -> dict[str, int]:
    """Moment -> how many of its marks there are."""
    return {moment: len(_marks(settings, moment)) for moment in MOMENTS}


def _marks(settings: Settings, moment: str) -> set[tuple[str, int]]:
    """What is there of a moment: files and folders, each with its last change where it is written again."""
    found = set()
    for path in settings.home.glob(MOMENTS[moment][0]):
        with suppress(FileNotFoundError):
            again = path.stat().st_mtime_ns if path.name in {"CURRENT", "spark.json", "airflow.json"} else 0
            found.add((str(path), again))
    return found


# The kill


class Run:
    """`./edulake run` in processes of its own, with whatever it prints."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.home.parent / "run.log"
        environment = {k: v for k, v in os.environ.items() if k not in {"EDULAKE_SPARK", "EDULAKE_HOME"}}
        environment |= {"EDULAKE_HOME": str(settings.home.parent), "EDULAKE_SITE": settings.site}
        environment |= {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "DO_NOT_TRACK": "1"}
        self.begun = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "jobs", "run"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def end(self) -> tuple[int, str]:
        """Wait for the end. Returns the exit code and what was printed."""
        try:
            code = self.process.wait(LONGEST_RUN)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        return code, self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self, dies: Death) -> bool:
        """Wait for the moment, and send the signal at once. False where the run ended before."""
        before = _marks(self.settings, dies.moment)
        while self.process.poll() is None:
            if len(_marks(self.settings, dies.moment) - before) >= dies.nth:
                # Who dies may not be there yet: the server's note comes before the server.
                for pid in self._alive(dies.process):
                    with suppress(ProcessLookupError):
                        os.kill(pid, dies.signal)
                        return True
            time.sleep(_POLL)
        return False

    def _alive(self, process: str) -> list[int]:
        """The ids of the living processes of a kind, those at work first."""
        if process == COMMAND:
            return [self.process.pid]
        if process == JAVA:
            return _noted(self.settings.run / "spark.json")
        if process in {LAUNCHER, SCHEDULER, API, PARSER}:
            return _noted(self.settings.run / "airflow.json", process)
        schedulers = _noted(self.settings.run / "airflow.json", SCHEDULER)
        return [pid for scheduler in schedulers for pid in _workers(scheduler, process)]


def _noted(note: Path, name: str | None = None) -> list[int]:
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    found = living(told["processes"].get(name) if name else told)
    return [found.pid] if found else []


def _workers(scheduler: int, process: str) -> list[int]:
    """Below the scheduler are its workers, below a worker the task, below that readers and dbt."""
    found: dict[str, list[int]] = {WORKER: [], TASK: [], READER: [], DBT: []}
    with suppress(psutil.Error):
        for worker in psutil.Process(scheduler).children():
            for task in worker.children():
                found[WORKER].append(worker.pid)
                found[TASK].append(task.pid)
                for below in task.children():
                    called = " ".join(below.cmdline())
                    found[READER if "isolated" in called else DBT].append(below.pid)
    return found[process]


def left_over(home: Path) -> list[str]:
    """What still runs for the sites of a folder, after it had time to end."""
    deadline = time.monotonic() + LONGEST_END
    while (found := _running_for(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _running_for(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("EDULAKE_HOME") != str(home) or process.pid == os.getpid():
                continue
            called = [" ".join(one.cmdline()) for one in (process, *process.parents())]
            # Once per environment, a good run leaves Java's archive in the making.
            is_archive = any("jobs.spark.make_archive" in words for words in called)
            if not is_archive and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {called[0][:120]}")
    return found


def die_and_run_again(
    settings: Settings, dies: Death, undisturbed: Settings, say: Callable[[str], None]
) -> None:
    """Kill a run, then run plainly. Raises AssertionError where anything but the right outcome follows."""
    home, first = settings.home.parent, release.current(settings)
    say(f"{dies}: ")
    killed = Run(settings)
    came = killed.kill(dies)
    code, told = killed.end()
    say(f"ended with {code} after {time.monotonic() - killed.begun:.0f} s, ")
    assert came, f"the moment did not come\n{told}"
    assert (left := left_over(home)) == [], f"processes outlive the run: {left}"
    assert dies.process == COMMAND or "Traceback" not in told, told
    assert "died twice" not in told, "one death was counted twice"
    pointed = release.current(settings)
    assert pointed is not None, "readers have no release"
    release.verify(pointed)
    is_done = runs.all_runs(settings)[-1].state in runs.DONE
    assert not is_done or pointed != first
    assert is_done or code != 0, f"it ended well and published nothing\n{told}"
    # A file on which a killed reader failed is out of the release, and told by the code.
    is_whole = is_done and code == 0
    again = Run(settings)
    code, told = again.end()
    say(f"again {code} after {time.monotonic() - again.begun:.0f} s\n")
    assert code == 0, told
    assert ("Nothing new" in told) == is_whole, told
    assert (left := left_over(home)) == [], f"processes outlive the second run: {left}"
    assert runs.as_they_stand(settings)[-1].state in runs.DONE
    opened = [str(p) for p in settings.home.rglob("*") if not p.is_symlink() and p.stat().st_mode & 0o077]
    assert opened == [], "others may read these"
    in_batches = dies.process != READER
    wrong = difference(*(content(lake, in_batches=in_batches) for lake in (settings, undisturbed)))
    assert wrong == {}, f"tables differ\n{wrong}"


# What is compared

# What names a run, a moment or a try, and not what was said.
_OF_A_RUN = frozenset({"run_id", "duration_ms", "started_at", "finished_at"})
# Asked again by each run; of the others, a run that was killed had its own. A run that found nothing wrong
# has match rates alone.
_OF_THE_NEWEST_RUN = ("decision_", "ops__match_rate", "ops__finding")
_ASKED = {"ops__finding": "ops__match_rate"}


def content(settings: Settings, *, in_batches: bool = True) -> dict[str, list[str]]:
    """Each table's rows, sorted, without what names a run; of decisions and relations those of the newest
    run that made them; and of the current release the digest of each table.

    Without `in_batches` nothing tells which files were taken together: one whose reader was killed is taken
    by the next run, in a batch of its own, and a release without it may have come between.
    """
    found = {}
    of_batches = set() if in_batches else {"batch_id", "_batch_id"}
    for log in sorted(settings.lake.glob("**/_delta_log")):
        table = log.parent.name
        if table == "ops__run" or (table == "ops__check" and not in_batches):
            continue
        rows = receipt_text.receipts(settings) if table == "ops__receipt" else tables.rows(settings, table)
        if table.startswith(_OF_THE_NEWEST_RUN) and rows and "run_id" in rows[0]:
            asked = tables.rows(settings, _ASKED[table]) if table in _ASKED else rows
            newest = max(row["run_id"] for row in asked)
            rows = [row for row in rows if row["run_id"] == newest]
        if table == "ops__public_cell" and not in_batches:
            rows = _newest_cells(rows)
        # Which of two feeds noted a person first is nobody's statement.
        left_out = _OF_A_RUN | of_batches | ({"batch_id"} if table == "person_identifier" else set())
        lines: Iterable[str] = (
            str(sorted((k, str(v)) for k, v in row.items() if k not in left_out)) for row in rows
        )
        found[table] = sorted(set(lines) if table in {"ops__check", "person_identifier"} else lines)
    current = release.current(settings)
    assert current is not None
    release.verify(current)
    found["release"] = [
        f"{name} {told['digest']}" for name, told in sorted(current.manifest["tables"].items())
    ]
    return found


def _newest_cells(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the releases have shown last of each public cell, without their numbers."""
    shown: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["release_number"]):
        told = {name: cell for name, cell in row.items() if name != "release_number"}
        shown[tuple(row[name] for name in ("table_name", "panel", "group_key", "unit", "column_name"))] = told
    return list(shown.values())


def difference(
    found: dict[str, list[str]], expected: dict[str, list[str]]
) -> dict[str, tuple[list[str], ...]]:
    """Table -> rows that are there and should not be, and rows that should be; the first three of each."""
    return {
        table: (
            _less(found.get(table, []), expected.get(table, [])),
            _less(expected.get(table, []), found.get(table, [])),
        )
        for table in found.keys() | expected.keys()
        if found.get(table, []) != expected.get(table, [])
    }


def _less(rows: list[str], others: list[str]) -> list[str]:
    left = list(rows)
    for row in others:
        with suppress(ValueError):
            left.remove(row)
    return left[:3]
