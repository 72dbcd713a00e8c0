"""What went wrong with the machine, or unexpectedly, in words that hold no values.

A library's message may quote a cell; a full disk and a locked file hide behind messages of ten libraries.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from traceback import extract_tb

from jobs.settings import LEAST_FREE_BYTES, ROOT, DamagedError, Settings, UserError

# A run is ended while so much is left: its end must still be noted, by Delta and in Airflow's database.
RESERVE_BYTES = 64 * 1024**2

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What DuckDB, Arrow and delta-rs raise for a file that is not what it was.
_UNREADABLE = {"IOException", "InvalidInputException", "SerializationException", "FatalException"}
_UNREADABLE |= {"InternalException", "ArrowInvalid", "ArrowException", "DeltaError"}
# Files of tables and releases, as libraries name them.
_OURS = re.compile(r"[^\s'\"]+\.(?:parquet|duckdb)\b|[^\s'\"]*_delta_log[^\s'\":,]*")
# What Java, Rust, DuckDB and SQLite say of the same; the numbers are Rust's.
_FULL_WORDS = re.compile(
    r"no space left on device|disk quota exceeded|database or disk is full|file too large"
    r"|\(os error (?:28|122|27)\)",
    re.IGNORECASE,
)
_LOCKED = re.compile(
    r'Could not set lock on file "(?P<file>[^"]+)"(?:.*?held in (?P<program>.+?) \(PID (?P<pid>\d+)\))?', re.S
)


def explained(settings: Settings, error: BaseException) -> UserError | None:
    """What a person can do about a fault of the machine (a full disk, a locked file); None for others."""
    if is_full(error) or short(settings) is not None:
        return full(settings)
    words = (locked(one) or damaged(one) for one in _chain(error))
    return next((found for found in words if found is not None), None)


@contextmanager
def told(settings: Settings) -> Iterator[None]:
    """Raise a fault of the machine, met in the block, as the UserError that explains it."""
    try:
        yield
    except Exception as error:
        if (words := explained(settings, error)) is None:
            raise
        raise words from error


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that a disk is full."""
    return any(
        (isinstance(one, OSError) and one.errno in _FULL) or _FULL_WORDS.search(str(one))
        for one in _chain(error)
    )


def short(settings: Settings) -> Path | None:
    """The folder of a site on whose disk hardly anything is free, or None."""
    tight = [(free, folder) for free, folder in _free(settings) if free < RESERVE_BYTES]
    return min(tight)[1] if tight else None


def watch_disk(settings: Settings) -> None:
    """Raise UserError as soon as the disk is nearly full."""
    if short(settings) is not None:
        raise full(settings)


def full(settings: Settings) -> UserError:
    """The error for a disk that filled while a run was under way."""
    free, folder = min(_free(settings))
    if free >= RESERVE_BYTES:
        free, folder = min((free, folder), (shutil.disk_usage(gettempdir()).free, Path(gettempdir())))
    now = f"{free / 1024**2:,.0f} MB are free now"
    what = f"the disk of {folder} is full: {now}"
    if free >= RESERVE_BYTES:
        what = f"a disk was full, or a quota used up; the fullest is that of {folder}, where {now}"
    return UserError(
        f"{what}, and a run needs {LEAST_FREE_BYTES / 1024**2:,.0f} MB at its start. "
        "Nothing was published half.",
        "Free some space there, or set EDULAKE_HOME to a folder on another disk, and run again: finished "
        "work is kept. docs/runbooks/full-disk.md has the steps.",
    )


def _free(settings: Settings) -> list[tuple[int, Path]]:
    """The home, and the lake where that lies on another disk, each with its free bytes."""
    there = [
        next(path for path in (folder, *folder.parents) if path.exists())
        for folder in (settings.lake, settings.home)
    ]
    # One question a disk: between two its free bytes change, and then either folder might seem the fuller.
    by_disk = {folder.stat().st_dev: folder for folder in there}
    return [(shutil.disk_usage(folder).free, folder) for folder in by_disk.values()]


def locked(error: BaseException) -> UserError | None:
    """What to do about a file of DuckDB that another program holds; None for another error."""
    found = _LOCKED.search(str(error))
    if found is None:
        return None
    holder = f"{found['program']}, process {found['pid']}" if found["pid"] else "another program"
    return UserError(
        f"{found['file']} is locked by {holder}: it was opened there for writing. The file itself is whole.",
        "Close it there, then repeat the command. To look into a file of edulake with another tool, open it "
        "read-only, or open a copy.",
    )


def damaged(error: BaseException) -> UserError | None:
    """What to do about a file of the lake or of a release that a library cannot read; None for others."""
    is_unreadable = isinstance(error, OSError) or type(error).__name__ in _UNREADABLE
    found = _OURS.search(str(error)) if is_unreadable else None
    if found is None or is_full(error):
        return None
    return DamagedError(f"a file is gone or damaged: {found[0]}")


def without_values(error: BaseException) -> str:
    """Files, lines and functions down to the error, its causes below it; no message and no source line.

    Both could quote a cell.
    """
    lines = []
    for frame in extract_tb(error.__traceback__):
        file = Path(frame.filename)
        shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else Path(*file.parts[-3:])
        lines.append(f"  {shown}:{frame.lineno} in {frame.name}")
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
    cause = error.__cause__ or error.__context__
    return "\n".join(lines) + (f"\ncaused by\n{without_values(cause)}" if cause else "\n")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
