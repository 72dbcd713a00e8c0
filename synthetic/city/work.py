"""The parts of a city, written one after another or by several processes, and noted when they are done.

A note a part lies beside the truth until the city is whole. A killed run, continued, finds the notes and
writes only what they lack; since a part's bytes depend on nothing but the city, the result is the same.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from jobs.files import replacing
from jobs.settings import UserError
from synthetic.city.figures import DATA
from synthetic.city.part import Part
from synthetic.city.truth import Truth

NOTES = ".city"


@dataclass(frozen=True)
class Outcome:
    """What one part wrote and hid."""

    files: list[str]  # feed/sender/delivery/file
    rows: int
    byte_count: int
    faults: list[tuple[str, str, int]]
    counts: dict[str, int]
    truth: dict[str, tuple[list[str], list[list[str]]]]

    def tables(self) -> Truth:
        return Truth({name: (list(columns), list(rows)) for name, (columns, rows) in self.truth.items()})


class Journal:
    """Notes of finished parts in `<truth>/.city`, bound to one city and one state of the generator."""

    def __init__(self, aside: Path, asked: dict[str, Any]) -> None:
        self.folder = aside / NOTES
        self._asked = {**asked, "generator": _generator()}

    @staticmethod
    def asked(aside: Path) -> dict[str, Any] | None:
        """What the unfinished city beside which these notes lie was asked to be."""
        note = aside / NOTES / "asked.json"
        return json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None

    def open(self, out: Path) -> None:
        """Keep the notes of the same city; of another, or of an older generator, none.

        A part of which a file is no longer in `out` is not done.
        """
        if self.asked(self.folder.parent) != self._asked:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._put("asked", self._asked)
        for note in sorted(self.folder.glob("*.json")):
            outcome = None if note.stem == "asked" else self.get(note.stem)
            if outcome and not all((out / file).is_file() for file in outcome.files):
                note.unlink()

    def get(self, name: str) -> Outcome | None:
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        content["faults"] = [(kind, file, line) for kind, file, line in content["faults"]]
        return Outcome(**content)

    def keep(self, name: str, outcome: Outcome) -> None:
        self._put(name, asdict(outcome))

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def _put(self, name: str, content: dict[str, Any]) -> None:
        with replacing(self.folder / f"{name}.json") as fresh:
            fresh.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _generator() -> str:
    """A digest of the code and the figures that make a city."""
    whole = hashlib.sha256()
    for file in sorted([*Path(__file__).parent.glob("*.py"), *DATA.glob("*.csv")]):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One city at a time beside this truth; another one, or what a killed one left behind, is waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


Write = Callable[[Part], None]


def write_parts(
    parts: dict[str, Part],
    write: Write,
    journal: Journal,
    workers: int,
    on_done: Callable[[str, Outcome], None],
) -> None:
    """Write the parts, the first ones first, and note each. Raises what a writer raises.

    The processes are forks: they read the rolls of the year where the parent has them.
    """
    if workers == 1 or len(parts) == 1:
        for name, part in parts.items():
            on_done(name, _finish(name, part, write, journal))
        return
    _give_back()
    global _held
    _held = (parts, write, journal)
    try:
        forks = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            min(workers, len(parts)), mp_context=forks, initializer=_end_with_parent
        ) as pool:
            waiting = {pool.submit(_finish_held, name): name for name in parts}
            try:
                for future in as_completed(waiting):
                    on_done(waiting[future], future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise UserError(
            "a process that wrote the city was ended from outside.",
            "Give the same command again: it goes on where it stopped.",
        ) from error
    finally:
        _held = None


def _give_back() -> None:
    """Return unused memory to the system, so that forks do not copy it."""
    gc.collect()
    # Not every system's library has it; without it all is well, only larger.
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


_held: tuple[dict[str, Part], Write, Journal] | None = None


def _finish_held(name: str) -> Outcome:
    assert _held is not None
    parts, write, journal = _held
    return _finish(name, parts[name], write, journal)


def _finish(name: str, part: Part, write: Write, journal: Journal) -> Outcome:
    write(part)
    landing = part.landing
    outcome = Outcome(
        files=landing.files,
        rows=landing.rows,
        byte_count=landing.byte_count,
        faults=part.faults.notes,
        counts=part.counts,
        truth=part.truth.tables,
    )
    journal.keep(name, outcome)
    return outcome


def _end_with_parent() -> None:
    """End this process with its parent, so that a killed run leaves no writer behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch(ends: Sequence[Any]) -> None:
        connection.wait(ends)
        os._exit(1)

    threading.Thread(target=watch, args=([parent.sentinel],), daemon=True).start()
