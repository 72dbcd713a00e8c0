"""Files are read in separate processes, one per core, each bounded in memory and time.

A file that needs more memory or time than the bounds below is refused, and the run goes on. Whatever else
ends the process is no fault of the file's sender (the machine ran out of memory, somebody killed it, our own
code raised): the file has failed, and a text without values says how. What is read comes back as an Arrow
file beside the lake's restricted tables, so that a sheet of a million rows passes through without being held.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc

from jobs import faults
from jobs.declare import Contract, reasons
from jobs.reading import at_door, reader
from jobs.reading.sheet import UnreadableError
from jobs.reading.thousands import Thousands
from jobs.settings import ROOT

READERS = max(1, min(os.cpu_count() or 1, 4))
# Above what the process holds when it starts; a sheet full to its last row needs about half.
MEMORY_BYTES = 3 * 1024**3
CPU_SECONDS = 900
# A process that closed its side is about to end; it is killed after this.
ENDING_SECONDS = 10
# A second reader takes half a second to start: for a batch of less than this it does not pay.
BYTES_FOR_ANOTHER = 2 * 1024**2

_SERVE = "import sys; from jobs.reading import isolated; isolated.serve(int(sys.argv[1]))"

_TOO_MUCH_MEMORY = reasons.text("too_much_memory")
# What Rust and C++ write before they abort for want of memory.
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"out of memory")

BLOCKS = pa.schema([("_table", pa.int32()), ("_line_number", pa.int64()), ("cells", pa.list_(pa.string()))])


@dataclass
class FoundTable:
    """One table of a file: where it stands, its header, where each column of its contract stands."""

    member: str | None
    sheet: str | None
    header_line: int
    header: list[str]
    positions: list[int]
    line_count: int = 0
    # Cells of the heading's line, and of the line that has fewest; null before the first.
    width: int = 0
    narrowest: int | None = None
    # The place of the column whose numbers a comma split in every line.
    split_at: int | None = None


@dataclass
class Found:
    """What a file holds. `dataset` is None where it cannot be taken; `reasons` then say why.

    `traceback` is there where the file failed here: files, line numbers, the type of the error, or the signal
    that ended the process; no values.
    """

    container: str = "unknown"
    encoding: str | None = None
    dataset: str | None = None
    # Of all its tables, in their order, whether the file can be taken or not.
    datasets: list[str] = field(default_factory=list)
    tables: list[FoundTable] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    milliseconds: int = 0
    traceback: str | None = None
    # Of headers alone: whether nothing of the file may be kept (`at_door`).
    is_refused_at_door: bool = False
    # What was read could not be written: the next file would meet the same.
    is_disk_full: bool = False


def read_all(
    paths: Sequence[Path], contracts: Sequence[Contract], stage: Path
) -> Iterator[tuple[Found, Iterator[pa.RecordBatch]]]:
    """Yield what each file holds and its lines (schema BLOCKS), in the order given; take the lines at once.

    `stage` is a folder for the files in between; each is removed when its lines have been taken. Raises
    OSError when its disk is full.
    """
    size = min(READERS, len(paths), 1 + sum(p.stat().st_size for p in paths) // BYTES_FOR_ANOTHER)
    if not size:
        return
    with ThreadPoolExecutor(size) as threads, _taken(size) as free:

        def one(number: int) -> Found:
            process = free.pop()
            try:
                return process.read(paths[number], contracts, stage / f"{number}.arrow")
            finally:
                free.append(process)

        waiting = [threads.submit(one, number) for number in range(len(paths))]
        try:
            for number, future in enumerate(waiting):
                found = future.result()
                if found.is_disk_full:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(stage))
                yield found, _lines(stage / f"{number}.arrow", found)
                (stage / f"{number}.arrow").unlink(missing_ok=True)
        finally:
            for future in waiting:
                future.cancel()


def headers(path: Path, contracts: Sequence[Contract]) -> Found:
    """What a file holds by its headers alone, or that it is refused at the door: no line below them is read,
    and no count is given.
    """
    with _taken(1) as (process,):
        return process.read(path, contracts, None)


def _lines(file: Path, found: Found) -> Iterator[pa.RecordBatch]:
    if found.dataset is None or not file.exists():
        return
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        yield from stream


_idle: list[_Reader] = []
# A forked process does not share its parent's readers.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
# Elsewhere (Windows, macOS, where only `check` runs) a file is read in this process.
_CAN_BE_BOUND = hasattr(os, "pidfd_open")


@contextmanager
def _taken(size: int) -> Iterator[list[_Reader]]:
    """So many readers for a while; they stay for the next batch, and end with this process."""
    processes = [_idle.pop() if _idle else _Reader() for _ in range(size)]
    try:
        yield list(processes)
    finally:
        _idle.extend(processes)


class _StartError(Exception):
    """The reading process did not start; the message is what it wrote."""


class _Reader:
    """One reading process, started when it is needed, and again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: Connection | None = None
        self._errors: IO[bytes] | None = None
        self._is_fresh = True
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def read(self, path: Path, contracts: Sequence[Contract], into: Path | None) -> Found:
        if not _CAN_BE_BOUND:
            return _read(path, contracts, into)
        with self._lock:
            # One that died while nothing was asked of it is no fault of this file.
            if self._process is not None and self._process.poll() is not None:
                self._end()
            found = self._read(path, contracts, into)
            if found.reasons == [_TOO_MUCH_MEMORY] and not self._is_fresh:
                # What earlier files left in the process counts for its bound, and not for this file.
                self._end()
                found = self._read(path, contracts, into)
            self._is_fresh = False
            return found

    def _read(self, path: Path, contracts: Sequence[Contract], into: Path | None) -> Found:
        try:
            ours = self._ours or self._start()
        except (_StartError, OSError) as error:
            return _failed(_died(), f"the reading process did not start: {error}\n")
        try:
            ours.send((path, contracts, into))
            found: Found = ours.recv()
            return found
        except Exception as error:  # the process is gone, or what it sent is no answer
            found = self._found_dead(error)
            self._end()
            if into is not None:
                into.unlink(missing_ok=True)
            return found

    def _found_dead(self, error: Exception) -> Found:
        """What to say of a file at which the process ended: its own bounds, or a fault of the machine."""
        assert self._process is not None
        assert self._errors is not None
        if isinstance(error, EOFError | OSError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_SECONDS)
        code = self._process.poll()
        if code == -signal.SIGXCPU:
            return Found(reasons=[reasons.text("too_much_time", minutes=CPU_SECONDS // 60)])
        self._errors.seek(0)
        if code == -signal.SIGABRT and any(words in self._errors.read() for words in _OUT_OF_MEMORY):
            return Found(reasons=[_TOO_MUCH_MEMORY])
        ended = _ending(code) if code else f"it did not answer: {type(error).__name__}"
        return _failed(_died(), f"the reading process ended: {ended}\n")

    def _start(self) -> Connection:
        """Start the process and wait until it can read. Raises _StartError: then no file is at fault."""
        ours, theirs = socket.socketpair()
        # What native code writes when it fails could quote a cell: it has no name, and is never shown once
        # a file has been opened. `_end` closes it.
        errors = self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=ROOT,
                # Where packages lie in a folder of their own, this process alone knows of them.
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
                pass_fds=[theirs.fileno()],
            )
            # Held here as well, our side would never see the process end.
            theirs.close()
            self._ours = Connection(ours.detach())
            try:
                self._ours.recv()
            except (EOFError, OSError) as error:
                errors.seek(0)
                written = errors.read().decode("utf-8", "replace")
                self._end()
                raise _StartError(written) from error
        self._is_fresh = True
        return self._ours

    def _end(self) -> None:
        if self._ours is not None:
            self._ours.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._errors is not None:
            self._errors.close()
        self._ours = self._process = self._errors = None


def peaks() -> list[int]:
    """Return the most memory that each reader of this process has held, in bytes.

    Empty where the system does not say.
    """
    found = []
    for process in _idle:
        status = Path(f"/proc/{process.pid}/status")
        if process.pid and status.is_file():
            peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            found += [int(peak[1]) * 1024] if peak else []
    return found


def serve(descriptor: int) -> None:
    """Run the reading process: takes a path, answers what the file holds, until the other side is gone.

    It is gone at once with a killed parent, also in the midst of a file.
    """
    threading.Thread(target=_end_with, args=[os.pidfd_open(os.getppid())], daemon=True).start()
    _lower(resource.RLIMIT_AS, psutil.Process().memory_info().vms + MEMORY_BYTES)
    _lower(resource.RLIMIT_CORE, 0)
    with suppress(EOFError, OSError, KeyboardInterrupt), closing(Connection(descriptor)) as theirs:
        theirs.send("ready")
        while True:
            theirs.send(_answer(theirs))


def _end_with(parent: int) -> None:
    select.select([parent], [], [])
    os._exit(1)


def _answer(theirs: Connection) -> Found:
    try:
        path, contracts, into = theirs.recv()
    except (EOFError, OSError):
        raise
    except Exception as error:  # a contract of other code than this process has
        return _failed(_died(), faults.without_values(error))
    _bound_time()
    return _read(path, contracts, into)


def _bound_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU_SECONDS)


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _read(path: Path, contracts: Sequence[Contract], into: Path | None) -> Found:
    begun = time.monotonic()
    found = Found()
    reading = reader.Reading()
    try:
        if into is None and (refusal := at_door.refusal_at_door(path.name, path)):
            found.is_refused_at_door = True
            reading.reasons.append(refusal)
        else:
            _fill(found, reading, path, contracts, into)
    except (MemoryError, pa.ArrowMemoryError):
        reading.reasons[:] = [_TOO_MUCH_MEMORY]
    except UnreadableError as error:
        reading.reasons.append(error.reason)
    except OSError as error:
        # The disk is full or gone: the machine's.
        found.is_disk_full = faults.is_full(error)
        failed = _failed(_died(), faults.without_values(error))
        reading.reasons, found.traceback = failed.reasons, failed.traceback
    except Exception as error:
        # Our own fault: the file has failed, and the others go on.
        failed = _failed(
            reasons.text("reader_failed", error=type(error).__name__), faults.without_values(error)
        )
        reading.reasons, found.traceback = failed.reasons, failed.traceback
    found.container, found.encoding = reading.container, reading.encoding
    found.reasons, found.remarks = reading.reasons, reading.remarks
    found.dataset = reading.contract.dataset if reading.contract else None
    found.datasets = [table.contract.dataset for table in reading.tables]
    found.milliseconds = int((time.monotonic() - begun) * 1000)
    return found


def _failed(reason: str, traceback: str) -> Found:
    return Found(reasons=[reason], traceback=traceback)


def _died() -> str:
    return reasons.text("reader_died")


def _ending(code: int) -> str:
    """How a process ended, by its exit code."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _fill(
    found: Found, reading: reader.Reading, path: Path, contracts: Sequence[Contract], into: Path | None
) -> None:
    sink: Any = None
    try:
        for number, table in enumerate(reader.tables(path, contracts, reading)):
            positions = [table.positions.get(c.name, -1) for c in table.contract.columns]
            noted = FoundTable(table.member, table.sheet, table.header_line, table.header, positions)
            noted.width = table.width
            found.tables.append(noted)
            if into is None:
                continue
            thousands = Thousands(table) if table.container == "csv" and table.form is None else None
            for block in table.blocks:
                if sink is None:
                    sink = pa.ipc.new_stream(str(into), BLOCKS)
                which = pa.repeat(pa.scalar(number, pa.int32()), block.num_rows)
                sink.write_batch(pa.RecordBatch.from_arrays([which, *block.columns], schema=BLOCKS))
                noted.line_count += block.num_rows
                least: int = pc.min(pc.list_value_length(block.column("cells"))).as_py() or 0
                noted.narrowest = least if noted.narrowest is None else min(least, noted.narrowest)
                if thousands:
                    thousands.look(block)
            noted.split_at = thousands.place if thousands else None
    finally:
        if sink is not None:
            sink.close()
