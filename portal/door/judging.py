"""Verdicts in order, by processes of their own that are bounded in time and memory; a killed server goes on.

One server process of a site judges at a time: the one that holds `door/queue.lock`. What waits stands in the
store, so whoever holds the lock next begins where the last one ended.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from jobs.settings import ROOT, Settings
from portal.door.store import HandIn, Store

_log = logging.getLogger(__name__)
WORKERS = 2
# How soon another process of the site that ended, or what another one queued, is noticed.
_LOOK_SECONDS = 1.0
_SERVE = "import sys; from portal.door import worker; worker.serve(int(sys.argv[1]))"


class DiedError(Exception):
    """The judging process ended, or took too long, before it answered."""


class Worker:
    """One judging process, started when it is needed, and again when it died."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: Connection | None = None
        self._lock = threading.Lock()

    def ask(self, job: dict[str, Any]) -> Any:
        """What the process answers to a job. Raises DiedError; then the next job gets a new process."""
        with self._lock:
            try:
                if self._process is not None and self._process.poll() is not None:
                    self._end()
                ours = self._ours or self._start()
                ours.send(job)
                if not ours.poll(self._seconds):
                    raise DiedError(f"no answer within {self._seconds:g} s")
                answer = ours.recv()
            except (EOFError, OSError, DiedError) as error:
                self._end()
                raise DiedError(str(error) or type(error).__name__) from error
            if isinstance(answer, Exception):
                raise answer
            return answer

    def end(self) -> None:
        """End the process; its job, if it has one, is another's."""
        if self._process is not None:
            self._process.kill()

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
            )
        self._ours = Connection(ours.detach())
        return self._ours

    def _end(self) -> None:
        if self._ours is not None:
            self._ours.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._ours = None


class Queue:
    """The deliveries that wait for a verdict, and those who judge them."""

    def __init__(self, settings: Settings, store: Store, folder: Path, recover: Callable[[], None]) -> None:
        self._settings, self._store, self._folder = settings, store, folder
        self._recover = recover
        self._wake = threading.Condition()
        self._is_open = True
        self._lock_file: IO[bytes] | None = None
        self._workers = [Worker(settings.door.verdict_seconds) for _ in range(WORKERS)]
        self._threads = [
            threading.Thread(target=self._work, args=[worker], daemon=True, name="door")
            for worker in self._workers
        ]
        self._claiming = threading.Lock()
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at once: something was queued."""
        with self._wake:
            self._wake.notify_all()

    def close(self) -> None:
        """Judge nothing more; what was being judged waits again."""
        self._is_open = False
        self.wake()
        for worker in self._workers:
            worker.end()
        for thread in self._threads:
            thread.join()
        if self._lock_file is not None:
            self._lock_file.close()

    def _is_ours(self) -> bool:
        """Whether this process judges; then what the one before left undone is queued again."""
        with self._claiming:
            if self._lock_file is not None:
                return True
            lock = (self._folder / "queue.lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._recover()
            self._lock_file = lock
            return True

    def _work(self, worker: Worker) -> None:
        while self._is_open:
            try:
                if self._is_ours() and self._go_on(worker):
                    continue
            except Exception:
                _log.exception("the door's queue met an error; it goes on")
            with self._wake:
                self._wake.wait(_LOOK_SECONDS)

    def _go_on(self, worker: Worker) -> bool:
        """Do what is next: a verdict, and where none waits, reports, which one of the workers writes."""
        if (found := self._store.next_waiting()) is not None:
            self._judge(worker, *found)
            return True
        if worker is self._workers[0] and (unwritten := self._store.next_unwritten()) is not None:
            self._write(worker, *unwritten)
            return True
        return False

    def _write(self, worker: Worker, hand_in: str, numbers: list[int]) -> None:
        into = str(judged_folder(self._folder, hand_in))
        try:
            worker.ask(job(self._settings, "write", into=into, files=numbers))
        except Exception as error:
            # They are written when somebody asks for them.
            if self._is_open:
                _log.error("no reports of %s: %s", hand_in, error)
        if self._is_open:
            self._store.written(hand_in, numbers)

    def _judge(self, worker: Worker, made: HandIn, delivery_id: str) -> None:
        try:
            verdicts = worker.ask(self._job(made, delivery_id))
        except Exception as error:
            # One that ends with the server is queued again by the next one.
            if self._is_open:
                _log.error("%s was not judged: %s", delivery_id, error)
                self._store.not_judged(made.id, delivery_id)
            return
        self._store.judged(made.id, delivery_id, verdicts)

    def _job(self, made: HandIn, delivery_id: str) -> dict[str, Any]:
        feed, _, folder = delivery_id.split("/")
        own = [file for file in made.files if file.delivery_id == delivery_id]
        earlier = [
            (receipt_id, str(judged_folder(self._folder, hand_in) / f"{n}.filed"))
            for receipt_id, hand_in, n in self._store.judged_before(made)
        ]
        return job(
            self._settings,
            "judge",
            sender=made.sender,
            feed=feed,
            received=folder.partition("_")[0],
            delivery_no=int(folder.partition("_")[2]),
            files=[(file.n, str(self._settings.landing / delivery_id / file.name)) for file in own],
            waiting=earlier,
            into=str(judged_folder(self._folder, made.id)),
        )


def job(settings: Settings, what: str, **told: Any) -> dict[str, Any]:
    """A job for a worker, with the site that it is of."""
    return {"do": what, "site": settings.site, "home": str(settings.home.parent), **told}


def judged_folder(folder: Path, hand_in: str) -> Path:
    """Where the reports of a hand-in lie."""
    return folder / "judged" / hand_in


def unwritten(folder: Path, n: int) -> Path:
    """What the reports of a judged file are made of, until they are written."""
    return folder / f"{n}.unwritten"
