"""Files that are whole or not there: the one way in which this project writes a file that others read."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs import UMASK_OF_CALLER

# The mode of a file that a person asks for by name, outside the lake: what his shell gives any file.
OUTPUT_MODE = 0o666 & ~UMASK_OF_CALLER


@contextmanager
def replacing(target: Path, mode: int = 0o600) -> Iterator[Path]:
    """A hidden file of its own beside `target`, to be written in full; then it takes the target's name.

    Any number of processes and threads may do so at once: the last to end wins, nobody reads half a file.
    Only the owner can open it, unless `mode` lets others as soon as it has its name. If the block raises,
    `target` is as it was.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    fresh = Path(name)
    try:
        yield fresh
        fresh.chmod(mode)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def keep_from_others(folder: Path) -> None:
    """Leave a folder and all in it to the owner alone. What belongs to somebody else stays as it is."""
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError, PermissionError):
            mode = path.lstat().st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & 0o700)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Have a file or folder on the disk before this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
